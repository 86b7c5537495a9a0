"""The multi-resolution decoder, used twice (depth and Gaussians), and the disparity head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..torch_runtime import GroupNorm
from .config import NUM_LAYERS, SharpConfig

OnLevel = Callable[[int, int], None]
"""``on_level(done, total)``: called after each level of a decoder."""

_BAND_ELEMENTS = 1 << 25
"""Elements of a feature map (128 MB in float32) above which convolutions go over it in bands of rows."""


def in_bands(layers: Callable[[Tensor], Tensor], x: Tensor, halo: int, scale: int = 1) -> Tensor:
    """``layers(x)`` of a map (1, C, h, w), band after band where it is large, so that what lies between is never there in full.

    Args:
        layers: convolutions with zero padding that make ``scale`` rows of each row and see at most ``halo`` rows to either side.
    """
    height = x.shape[2]
    rows = max(height * _BAND_ELEMENTS // x.numel(), 8 * halo)
    if rows >= height:
        return layers(x)
    out: Tensor | None = None
    for start in range(0, height, rows):
        stop = min(start + rows, height)
        first = max(start - halo, 0)
        band = layers(x[:, :, first : min(stop + halo, height)])
        if out is None:
            size = (1, band.shape[1], height * scale, band.shape[3])
            out = torch.empty(size, dtype=band.dtype, device=band.device, memory_format=torch.channels_last)
        out[:, :, start * scale : stop * scale] = band[:, :, (start - first) * scale : (stop - first) * scale]
    assert out is not None
    return out


class ResidualBlock(nn.Module):
    """x + conv3×3(ReLU(conv3×3(ReLU(x)))), channels unchanged."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(), nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(dim, dim, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(1, dim, h, w) → the same shape; x is left alone."""
        return in_bands(self.residual, x, halo=2).add_(x)


class FeatureFusionBlock(nn.Module):
    """Adds the features of a level to what came from below, refines, and doubles the resolution if asked to."""

    def __init__(self, dim: int, dim_out: int, upsample: bool, takes_skip: bool = True) -> None:
        super().__init__()
        self.resnet1 = ResidualBlock(dim) if takes_skip else None
        self.resnet2 = ResidualBlock(dim)
        self.deconv = nn.ConvTranspose2d(dim, dim, 2, stride=2, bias=False) if upsample else nn.Identity()
        self.out_conv = nn.Conv2d(dim, dim_out, 1)

    def refine(self, below: Tensor, skip: Tensor | None = None) -> Tensor:
        """What came from below and the level's own features, both (1, dim, h, w) → the same shape; ``below`` is overwritten."""
        if skip is not None and self.resnet1 is not None:
            below.add_(self.resnet1(skip))
        return self.resnet2(below)

    def rise(self, refined: Tensor) -> Tensor:
        """(1, dim, h, w) → (1, dim_out, h or 2h, w or 2w)."""
        return self.out_conv(self.deconv(refined))


class MultiresDecoder(nn.Module):
    """Five encoder levels → one map at the finest level's resolution, coarse to fine (after RefineNet, Lin et al., 2017)."""

    def __init__(self, dims_in: Sequence[int], dims: Sequence[int]) -> None:
        super().__init__()
        finest = nn.Identity() if dims_in[0] == dims[0] else nn.Conv2d(dims_in[0], dims[0], 1, bias=False)
        others = [nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in zip(dims_in[1:], dims[1:], strict=True)]
        self.convs = nn.ModuleList([finest, *others])
        coarsest = len(dims) - 1
        self.fusions = nn.ModuleList(
            FeatureFusionBlock(dim, dims[max(i - 1, 0)], upsample=i > 0, takes_skip=i < coarsest)
            for i, dim in enumerate(dims)
        )

    def forward(self, levels: Sequence[Tensor], on_level: OnLevel) -> Tensor:
        """Encoder levels, finest first → (1, dims[0], h, w) of level 0."""
        total = len(levels)
        x, skip = self.convs[-1](levels[-1]), None
        for i in range(total - 1, -1, -1):
            fusion = self.fusions[i]
            assert isinstance(fusion, FeatureFusionBlock)
            x = fusion.rise(fusion.refine(x, skip))
            on_level(total - i, total)
            if i > 0:
                skip = self.convs[i - 1](levels[i - 1])
        return x


class DisparityHead(nn.Sequential):
    """Decoder features (1, C, h, w) → disparity ≥ 0 of two layers (1, 2, 2h, 2w), in units of f / width (Depth Pro's)."""

    def __init__(self, config: SharpConfig) -> None:
        half, full = config.disparity_dims
        super().__init__(
            nn.Conv2d(config.monodepth_dims[0], half, 3, padding=1),
            nn.ConvTranspose2d(half, half, 2, stride=2),
            nn.Conv2d(half, full, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(full, NUM_LAYERS, 1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """A row sees one row to either side at half the resolution, and half a row more at the full one."""
        return in_bands(super().forward, x, halo=2, scale=2)


class BottleneckBlock(nn.Module):
    """Residual block of the Gaussian heads: GroupNorm – ReLU – conv3×3, twice, through fewer channels."""

    GROUPS = 8

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            GroupNorm(self.GROUPS, dim),
            nn.ReLU(inplace=True),
            nn.Conv2d(dim, hidden, 3, padding=1),
            GroupNorm(self.GROUPS, hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, dim, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(1, dim, h, w) → the same shape."""
        return self.residual(x).add_(x)
