"""From the photo to five levels of features by two Vision Transformers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..torch_runtime import import_timm
from .config import PATCH_SIZE, SharpConfig, ViTConfig
from .pyramid import crop_plans, image_pyramid, merge, split

OnCrops = Callable[[int, int], None]
"""``on_crops(done, total)``: called after each chunk of crops."""


def make_vit(config: ViTConfig) -> nn.Module:
    """A DINOv2-style ViT of timm with class token, learned positions and layer scale; its unused classifier left out.

    timm's defaults agree with the published model: LayerNorm eps 1e-6, exact GELU, fused attention.
    """
    import_timm()
    from timm.models.vision_transformer import VisionTransformer

    return VisionTransformer(
        img_size=config.image_size,
        patch_size=PATCH_SIZE,
        embed_dim=config.width,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_width / config.width,
        qkv_bias=True,
        init_values=1e-5,
        num_classes=0,
        global_pool="",
        weight_init="skip",
    )


def _conv1x1(dim_in: int, dim_out: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(dim_in, dim_out, 1, bias=bias)


def _double(dim_in: int, dim_out: int, bias: bool = False) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(dim_in, dim_out, 2, stride=2, bias=bias)


class _CropFeatures(NamedTuple):
    """Token maps of the crops, channels last: of the two tapped blocks (full scale only) and of the end."""

    early: Tensor
    middle: Tensor
    final: Tensor


class PyramidEncoder(nn.Module):
    """Photo (1, 3, S, S) in [−1, 1] → features of strides 2, 4, 8, 16, 32 relative to S, finest first.

    Levels 0 and 1 come from inside the patch encoder (blocks at a quarter and half of its depth) on the finest crops, 2 from its
    end there, 3 from the middle scale, 4 from the whole image seen by both ViTs.
    """

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.config = config
        width, dims = config.vit.width, config.encoder_dims
        self.patch_encoder: Any = make_vit(config.vit)
        self.image_encoder: Any = make_vit(config.vit)
        self.upsample_latent0 = nn.Sequential(
            _conv1x1(width, dims[1]), _double(dims[1], dims[0]), _double(dims[0], dims[0]), _double(dims[0], dims[0])
        )
        self.upsample_latent1 = nn.Sequential(
            _conv1x1(width, dims[1]), _double(dims[1], dims[1]), _double(dims[1], dims[1])
        )
        self.upsample0 = nn.Sequential(_conv1x1(width, dims[2]), _double(dims[2], dims[2]))
        self.upsample1 = nn.Sequential(_conv1x1(width, dims[3]), _double(dims[3], dims[3]))
        self.upsample2 = nn.Sequential(_conv1x1(width, dims[4]), _double(dims[4], dims[4]))
        self.upsample_lowres = _double(width, dims[4], bias=True)
        self.fuse_lowres = _conv1x1(2 * dims[4], dims[4], bias=True)

    def forward(self, image: Tensor, chunk: int, on_crops: OnCrops) -> list[Tensor]:
        """Encode with ``chunk`` crops at a time."""
        full_plan, half_plan = crop_plans(self.config)
        full, half, quarter = image_pyramid(image)
        size = self.config.vit.image_size
        crops = torch.cat([split(full, full_plan, size), split(half, half_plan, size), quarter])
        of_full, of_half = full_plan.steps**2, half_plan.steps**2
        features = self._encode_crops(crops, of_full, chunk, on_crops)
        del crops, full, half

        final = features.final
        lowres = torch.cat([self.upsample2(_nchw(final[-1:])), self.upsample_lowres(self._whole_image(quarter))], dim=1)
        on_crops(len(final) + 1, len(final) + 1)
        return [
            self.upsample_latent0(merge(features.early, full_plan)),
            self.upsample_latent1(merge(features.middle, full_plan)),
            self.upsample0(merge(final[:of_full], full_plan)),
            self.upsample1(merge(final[of_full : of_full + of_half], half_plan)),
            self.fuse_lowres(lowres),
        ]

    def _encode_crops(self, crops: Tensor, tapped: int, chunk: int, on_crops: OnCrops) -> _CropFeatures:
        """The patch encoder on all crops; the outputs of its tapped blocks are kept for the first ``tapped`` ones."""
        grid, width = self.config.vit.grid, self.config.vit.width
        early, middle = (crops.new_empty(tapped, grid, grid, width) for _ in range(2))
        final = crops.new_empty(len(crops), grid, grid, width)
        for start in range(0, len(crops), chunk):
            stop = min(start + chunk, len(crops))
            tokens, taps = self.patch_encoder.forward_intermediates(
                crops[start:stop], indices=list(self.config.vit.taps), norm=False, output_fmt="NLC"
            )
            final[start:stop] = self._as_grid(tokens[:, 1:])
            for kept, tap in zip((early, middle), taps, strict=True):
                kept[start:stop] = self._as_grid(tap[: max(0, tapped - start)])
            on_crops(stop, len(crops) + 1)
        return _CropFeatures(early, middle, final)

    def _whole_image(self, quarter: Tensor) -> Tensor:
        return _nchw(self._as_grid(self.image_encoder.forward_features(quarter)[:, 1:]))

    def _as_grid(self, tokens: Tensor) -> Tensor:
        """Tokens (B, grid², C) without class token → (B, grid, grid, C)."""
        return tokens.unflatten(1, (self.config.vit.grid, self.config.vit.grid))


def _nchw(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2)
