"""The multi-resolution decoder, used twice (depth and Gaussians), and the disparity head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ..torch_runtime import GroupNorm
from .config import NUM_LAYERS, SharpConfig

OnLevel = Callable[[int, int], None]
"""``on_level(done, total)``: called after each level of a decoder."""


class ResidualBlock(nn.Module):
    """x + conv3×3(ReLU(conv3×3(ReLU(x)))), channels unchanged."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.ReLU(), nn.Conv2d(dim, dim, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(dim, dim, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(1, dim, h, w) → the same shape; the sum is written over the residual, x is left alone."""
        return self.residual(x).add_(x)


class FeatureFusionBlock(nn.Module):
    """Adds the features of a level to what came from below, refines, and doubles the resolution if asked to."""

    def __init__(self, dim: int, dim_out: int, upsample: bool, takes_skip: bool = True) -> None:
        super().__init__()
        self.resnet1 = ResidualBlock(dim) if takes_skip else None
        self.resnet2 = ResidualBlock(dim)
        self.deconv = nn.ConvTranspose2d(dim, dim, 2, stride=2, bias=False) if upsample else nn.Identity()
        self.out_conv = nn.Conv2d(dim, dim_out, 1)

    def forward(self, below: Tensor, skip: Tensor | None = None) -> Tensor:
        """(1, dim, h, w) and the level's own features of the same shape → (1, dim_out, h or 2h, w or 2w).

        ``below`` is overwritten: at the finest level a copy would cost 600 MB.
        """
        if skip is not None and self.resnet1 is not None:
            below.add_(self.resnet1(skip))
        return self.out_conv(self.deconv(self.resnet2(below)))


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
        x = self.fusions[-1](self.convs[-1](levels[-1]))
        on_level(1, total)
        for i in range(total - 2, -1, -1):
            x = self.fusions[i](x, self.convs[i](levels[i]))
            on_level(total - i, total)
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
