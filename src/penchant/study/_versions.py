"""What results were made with: versions and the machine, for whoever judges them."""

import os
import platform

from penchant.version import __version__


def versions() -> dict[str, str]:
    """Return the versions that numbers may depend on, and the machine in words.

    Example:
        >>> list(versions())
        ['penchant', 'python', 'torch', 'numpy', 'scipy', 'machine']
    """
    import numpy
    import scipy
    import torch

    return {
        "penchant": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
