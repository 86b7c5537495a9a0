"""Muon: momentum whose step for a matrix is made orthogonal (Jordan et al., "Muon", 2024).

Every direction of a weight matrix moves by the same amount, instead of the few directions in which gradients are large. The scale
of the step is that of AdamW (Liu et al., "Muon is Scalable for LLM Training", 2025), so that both share one learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration of Jordan et al.: singular values come into 0.7 … 1.2."""


def orthogonalised(matrices: Tensor, steps: int) -> Tensor:
    """(N, m, n) with all singular values about 1, by Newton-Schulz iterations in bfloat16."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.mT
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For weights of linear layers and (flattened) convolutions.

    Args:
        params: tensors of two dimensions and more.
        lr: learning rate, of AdamW's size.
        momentum: of the gradients' average (Nesterov).
        weight_decay: decoupled.
        steps: Newton-Schulz iterations.
    """

    def __init__(
        self, params: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0, steps: int = 4
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "steps": steps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One step from the gradients; matrices of one shape are treated together."""
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(tuple(p.shape), []).append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    state = self.state[p]
                    if not state:
                        state["momentum"] = torch.zeros_like(p)
                    state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(state["momentum"], group["momentum"]).reshape(shape[0], -1))
                out = orthogonalised(torch.stack(updates), group["steps"])
                scale = 0.2 * max(out.shape[1:]) ** 0.5
                for p, update in zip(params, out, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.view(shape), alpha=-group["lr"] * scale)
