"""The whole network, under the tensor names of the published checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .composer import NdcGaussians, compose
from .config import SharpConfig
from .decoder import DisparityHead, MultiresDecoder
from .encoder import PyramidEncoder
from .gaussian_head import GaussianFeatureModel, PredictionHead
from .initializer import initialise

OnStage = Callable[[str, float], None]
"""``on_stage(stage, fraction)``: called as each part of a stage is done, fraction within the stage; may raise to stop."""

STAGES = ("encoder", "depth", "gaussians")


class _MonodepthPredictor(nn.Module):
    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.encoder = PyramidEncoder(config)
        self.decoder = MultiresDecoder(config.encoder_dims, config.monodepth_dims)
        self.head = DisparityHead(config)


class _MonodepthModel(nn.Module):
    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.monodepth_predictor = _MonodepthPredictor(config)


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """Gaussians, and the maps they were made from (for looking into; all float32).

    Attributes:
        gaussians: see :class:`~.composer.NdcGaussians`.
        disparity: (1, 2, S, S).
        delta: (14, layers, rows, cols).
        depth_unit: scalar, metres per unit of normalised depth.
    """

    gaussians: NdcGaussians
    disparity: Tensor
    delta: Tensor
    depth_unit: Tensor


class SharpNetwork(nn.Module):
    """Photo → Gaussians in NDC.

    The encoder and the two decoders may run in half precision; what turns features into numbers with a meaning (disparity head,
    initializer, prediction head, composer) always runs in float32.
    """

    def __init__(self, config: SharpConfig) -> None:
        super().__init__()
        self.config = config
        self.monodepth_model = _MonodepthModel(config)
        self.feature_model = GaussianFeatureModel(config)
        self.prediction_head = PredictionHead(config)

    def set_precision(self, dtype: torch.dtype) -> None:
        """Weights of the parts that may run in half precision → ``dtype``, the others → float32, all in memory of their own.

        What was mapped from the checkpoint file is no longer referred to, so the mapping goes.
        """
        monodepth = self.monodepth_model.monodepth_predictor
        halves: tuple[nn.Module, ...] = (monodepth.encoder, monodepth.decoder, self.feature_model)
        for part in halves:
            part.to(dtype)
        wholes: tuple[nn.Module, ...] = (monodepth.head, self.prediction_head)
        for part in wholes:
            for parameter in part.parameters():
                parameter.data = parameter.data.to(torch.float32, copy=True)

    @property
    def dtype(self) -> torch.dtype:
        """Of the parts that may run in half precision."""
        return next(self.feature_model.parameters()).dtype

    def forward(self, image: Tensor, disparity_factor: float, chunk: int, on_stage: OnStage) -> NetworkOutput:
        """Run the network.

        Args:
            image: (1, 3, S, S) float32 in [0, 1], sRGB, S = ``config.resolution``.
            disparity_factor: focal length in pixels / width in pixels, of the photo.
            chunk: crops that go through the patch encoder at a time.
            on_stage: see :data:`OnStage`.
        """
        monodepth = self.monodepth_model.monodepth_predictor

        def on(stage: str) -> Callable[[int, int], None]:
            return lambda done, total: on_stage(stage, done / total)

        normalised = (image * 2.0 - 1.0).to(self.dtype)
        levels = monodepth.encoder(normalised, chunk, on("encoder"))

        decoded = monodepth.decoder(levels, on("depth")).float()
        disparity = monodepth.head(decoded)
        del decoded
        base, features = initialise(image, disparity, disparity_factor)

        texture, geometry = self.feature_model(levels, features.to(self.dtype), on("gaussians"))
        delta = self.prediction_head(texture.float(), geometry.float())
        return NetworkOutput(compose(base, delta), disparity, delta, base.depth_unit)
