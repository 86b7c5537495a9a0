"""MiDaS v2.1 small."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from ..torch_runtime import import_timm
from .blocks import Decoder
from .config import SmallConfig


class Encoder(nn.Module):
    """timm's EfficientNet in the published network's four layers, which gives its tensors the published names.

    ``layer1`` is stem, normalisation, activation (part of timm's normalisation, hence the placeholder) and block groups 0 and 1;
    ``layer2`` is group 2, ``layer3`` groups 3 and 4, ``layer4`` groups 5 and 6.
    """

    def __init__(self, backbone: str) -> None:
        super().__init__()
        model = import_timm().create_model(backbone, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4))
        groups = model.blocks
        self.layer1 = nn.Sequential(model.conv_stem, model.bn1, nn.Identity(), groups[0], groups[1])
        self.layer2 = nn.Sequential(groups[2])
        self.layer3 = nn.Sequential(groups[3], groups[4])
        self.layer4 = nn.Sequential(groups[5], groups[6])

    def forward(self, image: Tensor) -> list[Tensor]:
        """(B, 3, h, w), sides multiples of 32 → four maps at 1/4, 1/8, 1/16 and 1/32."""
        maps = [self.layer1(image)]
        for layer in (self.layer2, self.layer3, self.layer4):
            maps.append(layer(maps[-1]))
        return maps


class SmallNetwork(nn.Module):
    """Photo → relative inverse depth by MiDaS v2.1 small."""

    ENGINE = "midas-small"
    """Name of the engine, for messages."""

    UNUSED_TENSORS = (r"scratch\.refinenet4\.resConfUnit1\..+",)
    """Patterns of names in the checkpoint that inference does not use: the coarsest level has no skip."""

    def __init__(self, config: SmallConfig) -> None:
        super().__init__()
        self.config = config
        self.pretrained = Encoder(config.backbone)
        finest = config.decoder_dims[0]
        self.scratch = Decoder(
            config.encoder_dims, config.decoder_dims, (finest, finest // 2, 32), head_align_corners=False
        )

    def forward(self, image: Tensor, report: Callable[[float], None]) -> Tensor:
        """(B, 3, h, w) normalised → (B, h, w) relative inverse depth ≥ 0; ``report(fraction)`` is called on the way."""
        maps = self.pretrained(image)
        report(0.6)
        return self.scratch(maps)


def fold_normalisation(module: nn.Module) -> None:
    """Put every batch normalisation that follows a convolution into that convolution's weights, in place.

    For inference only: afterwards the tensors are no longer those of the checkpoint. What remains of the normalisation is the
    activation that timm keeps in it.
    """
    children = list(module.named_children())
    for (_, conv), (name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            setattr(module, name, getattr(norm, "act", nn.Identity()))
    for _, child in children:
        fold_normalisation(child)
