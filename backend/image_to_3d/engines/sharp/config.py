"""The dimensions of a SHARP network, and how to read them off a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ...core.errors import ErrorCode, ImageTo3DError

PATCH_SIZE = 16
"""Pixels per side of a ViT patch; the strides of the five encoder levels depend on it."""

NUM_LAYERS = 2
"""Gaussians per cell of the output grid: nearest surface and what lies behind."""

ENCODER = "monodepth_model.monodepth_predictor.encoder"
MONODEPTH_DECODER = "monodepth_model.monodepth_predictor.decoder"
DISPARITY_HEAD = "monodepth_model.monodepth_predictor.head"

_OVERLAP_GRID = 8
_PUBLISHED_HEAD_DIM, _SMALL_HEAD_DIM, _SMALLEST_PUBLISHED_WIDTH = 64, 16, 192

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class ViTConfig:
    """One of the two Vision Transformers (they have equal dimensions).

    Attributes:
        grid: patches per side.
        width: channels of a token.
        depth: blocks.
        heads: attention heads.
        mlp_width: hidden channels of a block's MLP.
    """

    grid: int = 24
    width: int = 1024
    depth: int = 24
    heads: int = 16
    mlp_width: int = 4096

    @property
    def image_size(self) -> int:
        """Pixels per side of a crop."""
        return self.grid * PATCH_SIZE

    @property
    def taps(self) -> tuple[int, int]:
        """The two blocks whose output feeds encoder levels 0 and 1: at a quarter and at half of the depth (5 and 11 of 24)."""
        return self.depth // 4 - 1, self.depth // 2 - 1


@dataclass(frozen=True)
class SharpConfig:
    """A SHARP network; the defaults are the published one.

    Attributes:
        vit: of both ViTs.
        encoder_dims: channels of encoder levels 0 (finest) to 4.
        monodepth_dims: channels of the depth decoder, level 0 to 4.
        disparity_dims: hidden channels of the disparity head: at half and at full resolution.
        gaussian_dims: channels of the Gaussian decoder, level 0 to 4.
        head_hidden: bottleneck of the residual blocks in the texture and geometry heads.
        head_dim: channels that each of the two heads gives.
    """

    vit: ViTConfig = ViTConfig()
    encoder_dims: tuple[int, ...] = (256, 256, 512, 1024, 1024)
    monodepth_dims: tuple[int, ...] = (256,) * 5
    disparity_dims: tuple[int, int] = (128, 32)
    gaussian_dims: tuple[int, ...] = (128,) * 5
    head_hidden: int = 64
    head_dim: int = 32

    @property
    def resolution(self) -> int:
        """Pixels per side of the square that a photo is resized to: four crops (1536)."""
        return 4 * self.vit.image_size

    @property
    def grid_size(self) -> int:
        """Cells per side of the grid of Gaussians (768)."""
        return self.resolution // 2

    @property
    def overlap(self) -> bool:
        """Whether crops overlap: the cells trimmed at their edges (grid / 8 and grid / 4) must be whole."""
        return self.vit.grid % _OVERLAP_GRID == 0

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> SharpConfig:
        """The configuration whose state dict has these shapes.

        Everything but two things is written in the shapes of the tensors; those follow rules that hold for the published network
        and for the small ones of the tests: attention heads have 64 channels as in every published ViT, or 16 where a token has
        fewer than 192 (a ViT-Tiny) channels; crops overlap where the grid allows it (a multiple of 8 patches per side).

        Raises:
            ImageTo3DError: ``weights_missing`` naming a tensor that is not there or has an impossible shape.
        """

        def dim(name: str, axis: int) -> int:
            shape = shapes.get(name)
            if shape is None or axis >= len(shape):
                raise ImageTo3DError(
                    ErrorCode.WEIGHTS_MISSING,
                    "weights.not_a_sharp_checkpoint",
                    name=name,
                    what="missing" if shape is None else "misshapen",
                )
            return shape[axis]

        patch_encoder = f"{ENCODER}.patch_encoder"
        width = dim(f"{patch_encoder}.cls_token", 2)
        depth = 0
        while f"{patch_encoder}.blocks.{depth}.norm1.weight" in shapes:
            depth += 1
        head_dim = _PUBLISHED_HEAD_DIM if width >= _SMALLEST_PUBLISHED_WIDTH else _SMALL_HEAD_DIM
        vit = ViTConfig(
            grid=math.isqrt(dim(f"{patch_encoder}.pos_embed", 1) - 1),
            width=width,
            depth=depth,
            heads=width // head_dim,
            mlp_width=dim(f"{patch_encoder}.blocks.0.mlp.fc1.weight", 0),
        )

        def decoder_dims(prefix: str) -> tuple[int, ...]:
            return tuple(dim(f"{prefix}.fusions.{i}.resnet2.residual.1.weight", 0) for i in range(5))

        return cls(
            vit=vit,
            encoder_dims=(
                dim(f"{ENCODER}.upsample_latent0.3.weight", 1),
                dim(f"{ENCODER}.upsample_latent1.2.weight", 1),
                dim(f"{ENCODER}.upsample0.1.weight", 1),
                dim(f"{ENCODER}.upsample1.1.weight", 1),
                dim(f"{ENCODER}.fuse_lowres.weight", 0),
            ),
            monodepth_dims=decoder_dims(MONODEPTH_DECODER),
            disparity_dims=(dim(f"{DISPARITY_HEAD}.0.weight", 0), dim(f"{DISPARITY_HEAD}.2.weight", 0)),
            gaussian_dims=decoder_dims("feature_model.decoder"),
            head_hidden=dim("feature_model.texture_head.0.residual.2.weight", 0),
            head_dim=dim("feature_model.texture_head.3.weight", 0),
        )
