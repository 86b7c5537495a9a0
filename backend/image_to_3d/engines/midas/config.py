"""The two published networks as numbers: how a photo is prepared, and how large the layers are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

MULTIPLE = 32
"""Both sides of a network input are multiples of this many pixels: the coarsest feature map is 1/32 of the input."""


@dataclass(frozen=True)
class Preprocessing:
    """How a photo becomes a network input.

    Attributes:
        resolution: pixels; what it bounds is told by ``rule``.
        rule: ``longer`` – the longer side becomes ``resolution`` (MiDaS: "upper_bound"); ``nearer`` – the side whose scale is
            nearer to one does, mostly the shorter one of a large photo (MiDaS: "minimal").
        longest: no side of the input is longer; a panorama is scaled down further. Published programs have no such bound.
        mean, std: of the RGB values in [0, 1], per channel.
    """

    resolution: int
    rule: Literal["longer", "nearer"]
    longest: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class SmallConfig:
    """MiDaS v2.1 small: EfficientNet-Lite3 and a decoder that narrows from 512 to 64 channels.

    Attributes:
        backbone: timm's name of the encoder.
        encoder_dims: channels of the encoder at 1/4, 1/8, 1/16 and 1/32 of the input.
        decoder_dims: channels that the decoder takes at these levels.
    """

    backbone: str = "tf_efficientnet_lite3"
    encoder_dims: tuple[int, int, int, int] = (32, 48, 136, 384)
    decoder_dims: tuple[int, int, int, int] = (64, 128, 256, 512)
    preprocessing: Preprocessing = field(
        default=Preprocessing(256, "longer", 256, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )


@dataclass(frozen=True)
class DPTConfig:
    """DPT-Large: a ViT-L/16 whose tokens are read at four depths, and a convolutional decoder.

    Attributes:
        width, depth, heads: of the Vision Transformer.
        patch: side of a patch, pixels.
        grid: patches along a side of the square picture that the position embedding was made for.
        taps: blocks, counted from 0, whose outputs are read.
        stage_dims: channels of the four maps made from them, finest first.
        features: channels of the decoder.
    """

    width: int = 1024
    depth: int = 24
    heads: int = 16
    patch: int = 16
    grid: int = 24
    taps: tuple[int, int, int, int] = (5, 11, 17, 23)
    stage_dims: tuple[int, int, int, int] = (256, 512, 1024, 1024)
    features: int = 256
    preprocessing: Preprocessing = field(default=Preprocessing(384, "nearer", 1536, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)))
