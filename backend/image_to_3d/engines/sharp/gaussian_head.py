"""From encoder features and base depth to what is to be changed about the base Gaussians."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .config import NUM_LAYERS, SharpConfig
from .decoder import BottleneckBlock, FeatureFusionBlock, MultiresDecoder, OnLevel

GEOMETRY_PROPERTIES = 3
"""x, y and inverse depth."""

TEXTURE_PROPERTIES = 11
"""Three scales, four components of the quaternion, three of the colour, opacity."""


class _SkipEncoder(nn.Module):
    """Brings the full-resolution image and depth to the grid: one 2 × 2 convolution of stride 2."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3 + NUM_LAYERS, dim, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def _head(dim: int, hidden: int, dim_out: int) -> nn.Sequential:
    return nn.Sequential(
        BottleneckBlock(dim, hidden),
        BottleneckBlock(dim, hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(dim, dim_out, 1),
        nn.ReLU(inplace=True),
    )


class GaussianFeatureModel(nn.Module):
    """Encoder levels and (1, 5, S, S) of colour and inverse depth → texture and geometry features on the grid."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        dim = config.gaussian_dims[0]
        self.decoder = MultiresDecoder(config.encoder_dims, config.gaussian_dims)
        self.image_encoder = _SkipEncoder(dim)
        self.fusion = FeatureFusionBlock(dim, dim, upsample=False)
        self.texture_head = _head(dim, config.head_hidden, config.head_dim)
        self.geometry_head = _head(dim, config.head_hidden, config.head_dim)

    def forward(self, levels: Sequence[Tensor], features: Tensor, on_level: OnLevel) -> tuple[Tensor, Tensor]:
        """Returns (texture, geometry), each (1, head_dim, rows, cols)."""
        fused = self.fusion.rise(self.fusion.refine(self.decoder(levels, on_level), self.image_encoder(features)))
        return self.texture_head(fused), self.geometry_head(fused)


class PredictionHead(nn.Module):
    """Texture and geometry features → refinements (14, layers, rows, cols): geometry first, then texture."""

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.geometry_prediction_head = nn.Conv2d(config.head_dim, GEOMETRY_PROPERTIES * NUM_LAYERS, 1)
        self.texture_prediction_head = nn.Conv2d(config.head_dim, TEXTURE_PROPERTIES * NUM_LAYERS, 1)

    def forward(self, texture: Tensor, geometry: Tensor) -> Tensor:
        """The layer varies fastest among the channels of each head."""
        return torch.cat(
            [
                self.geometry_prediction_head(geometry)[0].unflatten(0, (GEOMETRY_PROPERTIES, NUM_LAYERS)),
                self.texture_prediction_head(texture)[0].unflatten(0, (TEXTURE_PROPERTIES, NUM_LAYERS)),
            ]
        )
