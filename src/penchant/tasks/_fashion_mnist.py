"""Fashion-MNIST: 70,000 grey pictures of clothes, 28 × 28, in ten classes."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from penchant.errors import PenchantError
from penchant.tasks._idx import IDX_FILES, load_idx
from penchant.tasks._labelled import Labelled

ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
"""Where the data set's own page has the files; it offers no https, so the checksums decide."""

CHECKSUMS = dict(
    zip(
        IDX_FILES,
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        strict=True,
    )
)
"""MD5 of each file, as the data set's page gives them."""

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_fashion_mnist() -> Labelled:
    """Read Fashion-MNIST: from the folder `fashion-mnist` in PENCHANT_DATA, else by download.

    What is downloaded stays in the user's cache. The files are held to their checksums wherever
    they come from, so that the name always means the same numbers.

    Returns:
        60,000 samples and the 10,000 of the data's own test part.

    Raises:
        PenchantError: files that are missing, or are not the published ones, or no network.

    Source: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
    learning algorithms", 2017.
    """
    named = os.environ.get("PENCHANT_DATA")
    folder = Path(named) / "fashion-mnist" if named else None
    if folder is None or not folder.is_dir():
        folder = _download()
    for file, checksum in CHECKSUMS.items():
        path = folder / file
        if path.is_file() and _md5(path) != checksum:
            raise PenchantError(
                f"{path}: not the published file (its MD5 is not {checksum}); fetch it again from "
                f"{ADDRESS}, or name the folder itself to classify what is in it"
            )
    return replace(load_idx(folder, CLASSES), name="fashion-mnist")


def _download() -> Path:
    """Fetch what the cache does not hold yet, and return the folder."""
    from pooch import os_cache, retrieve  # type: ignore[attr-defined]

    folder = Path(os_cache("penchant")) / "fashion-mnist"
    for file, checksum in CHECKSUMS.items():
        try:
            retrieve(ADDRESS + file, f"md5:{checksum}", fname=file, path=folder)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong checksum
            reason = " ".join(str(error).split())
            raise PenchantError(
                f"fashion-mnist: {file} could not be downloaded from {ADDRESS}; put the four files "
                f"into a folder fashion-mnist and its parent into PENCHANT_DATA ({reason:.200})"
            ) from error
    return folder


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
