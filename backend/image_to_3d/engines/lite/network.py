"""The depth network of the engine `lite`: convolutions, a transformer over 16 × 16 patches, and a light decoder.

It is told the viewing ray of every pixel, and predicts depth divided by the normalised focal length: what a picture shows by
itself is how large a thing appears, and a thing of known size that appears equally large is farther away in proportion to the
focal length (the canonical camera of Metric3D, Yin et al. 2023).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDE = 16
"""Width and height of the input are multiples of this."""
UP = 4
"""The decoder works at a quarter of the input resolution; the last step up is learned."""
MEDIAN_LOG_DEPTH = 1.5
"""Typical logarithm of depth / normalised focal length in the training pictures: the bias that training starts with."""


@dataclass(frozen=True)
class LiteConfig:
    """Sizes of the network.

    Attributes:
        stem, quarter, eighth, tokens: channels at 1/2, 1/4, 1/8, 1/16 of the input resolution.
        blocks: of the transformer.
        heads: of its attention.
        decoder: channels of the decoder at 1/8 and 1/4.
    """

    stem: int = 32
    quarter: int = 64
    eighth: int = 128
    tokens: int = 224
    blocks: int = 6
    heads: int = 7
    decoder: tuple[int, int] = (128, 64)

    def as_dict(self) -> dict[str, Any]:
        """For the weights file."""
        return asdict(self)


class Residual(nn.Module):
    """x + conv(relu(conv(x))), each convolution 3 × 3 with batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm2.weight)  # each block starts as the identity

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) → the same."""
        return functional.relu(x + self.norm2(self.conv2(functional.relu(self.norm1(self.conv1(x))))))


def _down(channels_in: int, channels_out: int) -> nn.Sequential:
    conv = nn.Conv2d(channels_in, channels_out, 3, 2, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels_out), nn.ReLU())


class Block(nn.Module):
    """A pre-norm transformer block (Vaswani et al. 2017; Xiong et al. 2020)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.project = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.expand, self.reduce = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.reduce.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) → the same."""
        batch, count, dim = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        attention = (q * (dim / self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        attended = (attention.to(v.dtype) @ v).transpose(1, 2).reshape(batch, count, dim)
        x = x + self.project(attended)
        return x + self.reduce(functional.gelu(self.expand(self.norm2(x))))


def ray_grid(fx: Tensor, fy: Tensor, cx: Tensor, cy: Tensor, height: int, width: int) -> Tensor:
    """x/z and y/z (B, 2, H, W) of the pixel centres for intrinsics (B,) in pixels of this size."""
    u = torch.arange(width, device=fx.device, dtype=torch.float32) + 0.5
    v = torch.arange(height, device=fx.device, dtype=torch.float32) + 0.5
    x = (u[None] - cx[:, None]) / fx[:, None]
    y = (v[None] - cy[:, None]) / fy[:, None]
    return torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], 1)


class LiteNetwork(nn.Module):
    """Photo and viewing rays → logarithm of canonical depth, its uncertainty, and sky."""

    def __init__(self, config: LiteConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or LiteConfig()
        self.stem = _down(5, c.stem)
        self.quarter = nn.Sequential(_down(c.stem, c.quarter), Residual(c.quarter))
        self.eighth = nn.Sequential(_down(c.quarter, c.eighth), Residual(c.eighth), Residual(c.eighth))
        self.tokens = nn.Conv2d(c.eighth, c.tokens, 3, 2, 1)
        self.place = nn.Sequential(nn.Linear(7, 64), nn.GELU(), nn.Linear(64, c.tokens))
        self.blocks = nn.ModuleList(Block(c.tokens, c.heads) for _ in range(c.blocks))
        self.norm = nn.LayerNorm(c.tokens)
        self.guess = nn.Linear(c.tokens, 1)
        d8, d4 = c.decoder
        self.lateral16 = nn.Conv2d(c.tokens, d8, 1)
        self.lateral8 = nn.Conv2d(c.eighth, d8, 1)
        self.refine8 = Residual(d8)
        self.narrow = nn.Conv2d(d8, d4, 1)
        self.lateral4 = nn.Conv2d(c.quarter, d4, 1)
        self.refine4 = Residual(d4)
        self.head = nn.Conv2d(d4, 3, 3, 1, 1)
        self.weigh = nn.Conv2d(d4 + c.stem, 9 * UP * UP, 1)
        nn.init.zeros_(self.guess.weight)
        nn.init.constant_(self.guess.bias, MEDIAN_LOG_DEPTH)
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, photo: Tensor, rays: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One pass.

        Args:
            photo: (B, 3, H, W) sRGB in [0, 1], H and W multiples of 16.
            rays: (B, 2, H, W), x/z and y/z of the pixels, see :func:`ray_grid`.

        Returns:
            Each (B, H, W), float32: logarithm of depth / normalised focal length; logarithm of its expected absolute error;
            logit of "this is sky".
        """
        x = torch.cat([(photo - 0.45) * 4, rays], 1)
        x2 = self.stem(x)
        x4 = self.quarter(x2)
        x8 = self.eighth(x4)
        x16 = self.tokens(x8)
        batch, dim, rows, cols = x16.shape
        t = x16.flatten(2).transpose(1, 2) + self.place(self._places(rays, rows, cols))
        for block in self.blocks:
            t = block(t)
        t = self.norm(t)
        guess = self.guess(t).float().transpose(1, 2).reshape(batch, 1, rows, cols)
        x16 = t.transpose(1, 2).reshape(batch, dim, rows, cols)
        y = functional.interpolate(self.lateral16(x16), scale_factor=2, mode="bilinear") + self.lateral8(x8)
        y = self.narrow(self.refine8(y))
        y = self.refine4(functional.interpolate(y, scale_factor=2, mode="bilinear") + self.lateral4(x4))
        coarse = self.head(y).float()
        # every patch says how far it is, the decoder corrects that: scale and layout are learned sooner
        base = functional.interpolate(guess, coarse.shape[2:], mode="bilinear")
        log_depth = self._up(coarse[:, :1] + base, torch.cat([y, functional.avg_pool2d(x2, 2)], 1))
        rest = functional.interpolate(coarse[:, 1:], scale_factor=UP, mode="bilinear")
        return log_depth, rest[:, 0] - 2.0, rest[:, 1]

    @staticmethod
    def _places(rays: Tensor, rows: int, cols: int) -> Tensor:
        """(B, rows·cols, 7): mean ray of each patch, its squares, and its place in the picture."""
        r = functional.avg_pool2d(rays, STRIDE)
        v, u = torch.meshgrid(
            torch.linspace(-1, 1, rows, device=rays.device),
            torch.linspace(-1, 1, cols, device=rays.device),
            indexing="ij",
        )
        place = torch.stack([u, v]).expand(len(r), -1, -1, -1)
        return torch.cat([r, r * r, r[:, :1] * r[:, 1:], place], 1).flatten(2).transpose(1, 2)

    def _up(self, coarse: Tensor, features: Tensor) -> Tensor:
        """Each fine value is a learned convex combination of the 3 × 3 coarse ones around it (RAFT, Teed and Deng 2020)."""
        batch, _, rows, cols = coarse.shape
        weights = self.weigh(features).float().view(batch, 9, UP * UP, rows, cols).softmax(1)
        around = functional.unfold(functional.pad(coarse, (1, 1, 1, 1), mode="replicate"), 3).view(
            batch, 9, 1, rows, cols
        )
        return functional.pixel_shuffle((weights * around).sum(1), UP)[:, 0]
