"""What both decoders are made of; attribute names are those of the published checkpoints."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ResidualConvUnit(nn.Module):
    """ReLU, 3 × 3, ReLU, 3 × 3, and the input added (RefineNet, Lin et al., CVPR 2017)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(dim, dim, 3, padding=1)
        self.conv2 = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, dim, h, w) → the same shape."""
        return x + self.conv2(functional.relu(self.conv1(functional.relu(x))))


class FusionBlock(nn.Module):
    """Add the encoder's map of this level, refine, and enlarge to the next level.

    Args:
        dim: channels in.
        out_dim: channels out.
        has_skip: False for the coarsest level, which gets nothing from below.
    """

    def __init__(self, dim: int, out_dim: int, has_skip: bool = True) -> None:
        super().__init__()
        if has_skip:
            self.resConfUnit1 = ResidualConvUnit(dim)
        self.resConfUnit2 = ResidualConvUnit(dim)
        self.out_conv = nn.Conv2d(dim, out_dim, 1)

    def forward(self, x: Tensor, skip: Tensor | None, size: tuple[int, int]) -> Tensor:
        """(B, dim, h, w), and a skip of the same shape → (B, out_dim, *size)."""
        if skip is not None:
            x = x + self.resConfUnit1(skip)
        x = self.resConfUnit2(x)
        return self.out_conv(functional.interpolate(x, size=size, mode="bilinear", align_corners=True))


class Head(nn.Sequential):
    """Features at half size → inverse depth at full size, (B, 1, 2h, 2w), not negative.

    Args:
        dims: channels in, after the first and after the second convolution.
        align_corners: of the enlargement between them; the published networks differ.
    """

    def __init__(self, dims: tuple[int, int, int], align_corners: bool) -> None:
        super().__init__(
            nn.Conv2d(dims[0], dims[1], 3, padding=1),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=align_corners),
            nn.Conv2d(dims[1], dims[2], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(dims[2], 1, 1),
            nn.ReLU(),
        )


class Decoder(nn.Module):
    """Four maps of an encoder, from 1/4 to 1/32 of the picture → inverse depth of the whole picture.

    Args:
        encoder_dims: channels of the maps, finest first.
        decoder_dims: channels that they are brought to; each level hands on as many as the next finer one has.
        head_dims, head_align_corners: see :class:`Head`.
    """

    def __init__(
        self,
        encoder_dims: tuple[int, int, int, int],
        decoder_dims: tuple[int, int, int, int],
        head_dims: tuple[int, int, int],
        head_align_corners: bool,
    ) -> None:
        super().__init__()
        for level, (dim_in, dim) in enumerate(zip(encoder_dims, decoder_dims, strict=True), start=1):
            self.add_module(f"layer{level}_rn", nn.Conv2d(dim_in, dim, 3, padding=1, bias=False))
            self.add_module(f"refinenet{level}", FusionBlock(dim, decoder_dims[max(level - 2, 0)], has_skip=level < 4))
        self.output_conv = Head(head_dims, head_align_corners)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (B, C, h/4, w/4) … (B, C, h/32, w/32) → (B, h, w)."""
        skips = [self.get_submodule(f"layer{level}_rn")(m) for level, m in enumerate(maps, start=1)]
        x: Tensor | None = None
        for level in (4, 3, 2, 1):
            skip = skips[level - 1]
            finer = skips[level - 2].shape[-2:] if level > 1 else (2 * skip.shape[-2], 2 * skip.shape[-1])
            fuse = self.get_submodule(f"refinenet{level}")
            x = fuse(skip, None, finer) if x is None else fuse(x, skip, finer)
        return self.output_conv(x).squeeze(1)
