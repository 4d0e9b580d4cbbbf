"""Where networks are trained: a device by name, or one line that says why not."""

import torch

from penchant.errors import PenchantError

KINDS = ("cpu", "cuda")


def usable_device(name: str) -> torch.device:
    """Return a device of this machine.

    Args:
        name: ``cpu``, ``cuda``, or ``cuda:1`` for the second accelerator.

    Returns:
        The device.

    Raises:
        PenchantError: a name that is not known, or a device that is not there.

    Example:
        >>> usable_device("cpu")
        device(type='cpu')
        >>> usable_device("gpu")
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: device='gpu': cpu, or cuda where there is an accelerator
    """
    kind, _, number = name.partition(":")
    if kind not in KINDS or (":" in name and not (kind == "cuda" and number.isdecimal())):
        raise PenchantError(f"device={name!r}: cpu, or cuda where there is an accelerator")
    if kind == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise PenchantError(
            f"device={name!r}: PyTorch {torch.__version__} finds no accelerator here; "
            "leave it out to train on the processor"
        )
    there = torch.cuda.device_count()
    if int(number or 0) >= there:
        raise PenchantError(f"device={name!r}: there are {there}, cuda:0 to cuda:{there - 1}")
    return torch.device(name)
