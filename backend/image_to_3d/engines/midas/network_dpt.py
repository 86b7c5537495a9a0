"""DPT: a Vision Transformer read at four depths (Ranftl, Bochkovskiy, Koltun, ICCV 2021)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..torch_runtime import import_timm
from .blocks import Decoder
from .config import DPTConfig


def resize_position_embedding(embedding: Tensor, grid: int, rows: int, cols: int) -> Tensor:
    """(1, 1 + grid², C) of a square grid → (1, 1 + rows · cols, C): bilinear without antialiasing; the class token's part stays.

    timm's own resizing is bicubic with antialiasing, which gives other tokens.
    """
    if (rows, cols) == (grid, grid):
        return embedding
    of_class, of_patches = embedding[:, :1], embedding[:, 1:]
    image = of_patches.reshape(1, grid, grid, -1).permute(0, 3, 1, 2)
    image = functional.interpolate(image, size=(rows, cols), mode="bilinear", align_corners=False)
    return torch.cat([of_class, image.flatten(2).transpose(1, 2)], dim=1)


class Readout(nn.Module):
    """Each patch token together with the class token → a token of the usual width ("project")."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Linear(2 * width, width), nn.GELU())

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, 1 + N, C), class token first → (B, N, C)."""
        patches = tokens[:, 1:]
        return self.project(torch.cat([patches, tokens[:, :1].expand_as(patches)], dim=-1))


class Reassemble(nn.Sequential):
    """Tokens of one tap → a picture-like map at its stage's scale. Places 1 and 2 hold no tensors: there tokens become a map."""

    def __init__(self, width: int, dim: int, stage: int) -> None:
        steps: list[nn.Module] = [Readout(width), nn.Identity(), nn.Identity(), nn.Conv2d(width, dim, 1)]
        if stage == 1:
            steps.append(nn.ConvTranspose2d(dim, dim, 4, stride=4))
        elif stage == 2:
            steps.append(nn.ConvTranspose2d(dim, dim, 2, stride=2))
        elif stage == 4:
            steps.append(nn.Conv2d(dim, dim, 3, stride=2, padding=1))
        super().__init__(*steps)

    def forward(self, tokens: Tensor, rows: int, cols: int) -> Tensor:  # type: ignore[override]  # called by its own network only
        """(B, 1 + rows · cols, C) → (B, dim, ·, ·)."""
        x = self[0](tokens).transpose(1, 2).unflatten(2, (rows, cols))
        for step in list(self)[3:]:
            x = step(x)
        return x


class Encoder(nn.Module):
    """The Vision Transformer (``model``) and the four ways out of it (``act_postprocess1`` … 4)."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.config = config
        import_timm()
        from timm.models.vision_transformer import VisionTransformer

        self.model = VisionTransformer(
            img_size=config.grid * config.patch,
            patch_size=config.patch,
            embed_dim=config.width,
            depth=config.depth,
            num_heads=config.heads,
            num_classes=0,
            final_norm=False,  # taps are read before it
        )
        for stage, dim in enumerate(config.stage_dims, start=1):
            self.add_module(f"act_postprocess{stage}", Reassemble(config.width, dim, stage))

    def forward(self, image: Tensor, report: Callable[[float], None]) -> list[Tensor]:
        """(B, 3, h, w), sides multiples of 32 → four maps at 1/4, 1/8, 1/16 and 1/32."""
        config = self.config
        vit: Any = self.model  # timm says that its parameters may be None
        patches = vit.patch_embed.proj(image)
        rows, cols = patches.shape[-2:]
        tokens = torch.cat([vit.cls_token.expand(len(image), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + resize_position_embedding(vit.pos_embed, config.grid, rows, cols)
        maps: list[Tensor] = []
        for i, block in enumerate(vit.blocks):
            tokens = block(tokens)
            if i in config.taps:
                maps.append(self.get_submodule(f"act_postprocess{len(maps) + 1}")(tokens, rows, cols))
            report((i + 1) / config.depth)
        return maps


class DPTNetwork(nn.Module):
    """Photo → relative inverse depth by DPT."""

    ENGINE = "dpt-large"
    """Name of the engine, for messages."""

    UNUSED_TENSORS = (
        r"pretrained\.model\.(head|norm)\.(weight|bias)",  # ImageNet classifier and what comes before it
        r"scratch\.refinenet4\.resConfUnit1\..+",  # the coarsest level has no skip
    )
    """Patterns of names in the checkpoint that inference does not use."""

    def __init__(self, config: DPTConfig) -> None:
        super().__init__()
        self.config = config
        self.pretrained = Encoder(config)
        dims = (config.features,) * 4
        self.scratch = Decoder(
            config.stage_dims, dims, (config.features, config.features // 2, 32), head_align_corners=True
        )

    def forward(self, image: Tensor, report: Callable[[float], None]) -> Tensor:
        """(B, 3, h, w) normalised → (B, h, w) relative inverse depth ≥ 0; ``report(fraction)`` is called on the way."""
        return self.scratch(self.pretrained(image, lambda done: report(0.8 * done)))
