"""The families of networks, by name, and the way from words to a design."""

from typing import Any

from pydantic import ValidationError

from penchant.errors import PenchantError, nearest
from penchant.study._autoencoder import AutoencoderDesign
from penchant.study._backbones import ConvNeXtDesign, ViTDesign
from penchant.study._design import Design, one_line
from penchant.study._fully_connected import CoordinateDesign, DenseDesign
from penchant.study._over_time import TDNNDesign
from penchant.study._resnet import ResNetDesign
from penchant.study._tiled import TiledDesign

FAMILIES: dict[str, type[Design]] = {
    "coordinate": CoordinateDesign,
    "dense": DenseDesign,
    "tdnn": TDNNDesign,
    "resnet": ResNetDesign,
    "vit": ViTDesign,
    "convnext": ConvNeXtDesign,
    "autoencoder": AutoencoderDesign,
    "tiled": TiledDesign,
}


def design(fields: dict[str, Any]) -> Design:
    """Make a design from words, as typed on a command line or in a study's file.

    Args:
        fields: values by field; text is turned into numbers where the field is one. `family` is
            the coordinate network where it is not given.

    Returns:
        The design, not yet resolved.

    Raises:
        PenchantError: an unknown family, field or value, with the nearest known one.

    Example:
        >>> design({"activation": "relu", "width": "32"}).width
        32
        >>> design({"activation": "gausian"})
        Traceback (most recent call last):
            ...
        penchant.errors.PenchantError: activation='gausian' is unknown: did you mean 'gaussian'? ...
    """
    family = fields.get("family", "coordinate")
    if not isinstance(family, str) or family not in FAMILIES:
        raise PenchantError(f"family={family!r} is unknown: {nearest(str(family), list(FAMILIES))}")
    known = FAMILIES[family].model_fields
    for name in fields:
        if name not in known:
            named = nearest(name, [n for n in known if n != "family"])
            raise PenchantError(f"axis {name!r} is unknown to {family} networks: {named}")
    try:
        return FAMILIES[family](**fields)
    except ValidationError as error:
        raise PenchantError(one_line(error)) from error
