"""The one place that knows torch's oddities: devices, precisions, free memory, importing timm, fast linear layers on CPUs."""

from __future__ import annotations

import contextlib
import gc
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from ..core.errors import ErrorCode, ImageTo3DError

log = logging.getLogger(__name__)

PRECISIONS: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """``auto`` → CUDA, else MPS, else CPU; a named device must be there.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name or a device that this machine or this torch lacks.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    if name.split(":")[0] not in available:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "engines.unknown_device", name=name)
    if not available[name.split(":")[0]]:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "engines.device_absent", version=torch.__version__, name=name)
    return torch.device(name)


def device_name(device: torch.device) -> str:
    """For a person: ``cuda (NVIDIA H200)``, ``mps``, ``cpu``."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def choose_precision(name: str, device: torch.device) -> str:
    """``auto`` → ``fp16`` on CUDA, ``fp32`` elsewhere; anything else is taken as asked.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name.
    """
    if name == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    if name not in PRECISIONS:
        raise ImageTo3DError(ErrorCode.BAD_REQUEST, "engines.unknown_precision", name=name)
    return name


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on the device; on MPS and CPU that is free main memory."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    import psutil

    return int(psutil.virtual_memory().available)


def empty_cache(device: torch.device) -> None:
    """Give cached blocks back to the driver, after dropping what only reference cycles keep alive."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what was queued, so that a clock tells the truth."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


@contextlib.contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Inference mode with reproducible kernels: no autotuning, and no TF32 behind the back of ``fp32``."""
    with torch.inference_mode(), contextlib.ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(
                torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
            )
            allowed = torch.backends.cuda.matmul.allow_tf32
            torch.backends.cuda.matmul.allow_tf32 = False
            stack.callback(setattr, torch.backends.cuda.matmul, "allow_tf32", allowed)
        yield


_torchvision_library: Any = None


def import_timm() -> ModuleType:
    """timm, also beside a torchvision that cannot load its compiled operators.

    timm imports torchvision, and torchvision declares shape rules for ``nms`` and ``qnms`` at import; where its compiled part
    does not fit the installed torch those operators are unknown and the import fails. Declaring their schemas is enough:
    nothing of ours calls them.

    Raises:
        ImageTo3DError: ``engine_failed`` if timm cannot be imported for another reason.
    """
    global _torchvision_library
    try:
        import timm
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _torchvision_library is not None:
            raise _timm_broken(error) from error
        log.debug("torchvision has no compiled operators here; declaring nms and qnms")
        _forget_modules("torchvision", "timm")
        _torchvision_library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            with contextlib.suppress(RuntimeError):  # already declared by what torchvision did load
                _torchvision_library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return import_timm()
    except ImportError as error:
        raise _timm_broken(error) from error
    return timm


def _timm_broken(error: Exception) -> ImageTo3DError:
    return ImageTo3DError(ErrorCode.ENGINE_FAILED, "engines.timm_broken", text=str(error).splitlines()[0])


def _forget_modules(*packages: str) -> None:
    """Drop half-imported packages so that the next import starts afresh."""
    import sys

    for name in list(sys.modules):
        if name.split(".")[0] in packages:
            del sys.modules[name]


def channels_last(network: nn.Module) -> None:
    """Lay out the weights as the convolutions of this machine like them best."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own annotations lack it


class OneDNNLinear(nn.Linear):
    """``nn.Linear`` by oneDNN instead of the BLAS that torch was built with, with the GELU after it in the same pass.

    torch gives float32 matrix products on x86 to MKL; on AMD processors with AVX-512 oneDNN, which torch uses for convolutions
    and bfloat16, is twice as fast.
    """

    def __init__(self, linear: nn.Linear, gelu: bool = False) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self._activation: tuple[str, list[Any], str] = ("gelu", [], "none") if gelu else ("none", [], "")

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) → (..., out); GELU is the exact one, by erf."""
        return torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, *self._activation)


def use_onednn_linear(module: nn.Module) -> bool:
    """Replace the linear layers below ``module`` by :class:`OneDNNLinear`, merging ``fc1`` → GELU; False if torch lacks it.

    The operator is the one that torch.compile emits for CPUs; it is tried once, and left alone where it is missing or where it
    does not give what ``nn.Linear`` gives.
    """
    if not _onednn_linear_works():
        return False
    _replace_linear(module)
    return True


def _replace_linear(module: nn.Module) -> None:
    for name, child in list(module.named_children()):
        if type(child) is nn.Linear:
            activation = getattr(module, "act", None) if name == "fc1" else None
            gelu = isinstance(activation, nn.GELU) and activation.approximate == "none"
            setattr(module, name, OneDNNLinear(child, gelu))
            if gelu:
                module.act = nn.Identity()
        else:
            _replace_linear(child)


def _onednn_linear_works() -> bool:
    """Whether this build of torch has the private operator, and computes right with it; linear layers stay torch's own if not."""
    if not torch.backends.mkldnn.is_available():
        return False
    linear = nn.utils.skip_init(nn.Linear, 8, 4)
    nn.init.constant_(linear.weight, 0.1)
    nn.init.constant_(linear.bias, -0.05)
    x = torch.linspace(-1, 1, 24).reshape(3, 8)
    try:
        with torch.inference_mode():
            expected = nn.functional.gelu(linear(x))
            return torch.allclose(OneDNNLinear(linear, gelu=True)(x), expected, atol=1e-5)
    except (AttributeError, NotImplementedError, RuntimeError):
        return False


class GroupNorm(nn.GroupNorm):
    """``nn.GroupNorm``, accurate for channels-last float32 maps on a CPU too.

    torch's own kernel for that layout adds up a group in one float32 after the other: on 768 × 768 maps it is off by 5e-4, a
    thousand times the rounding of a pairwise sum (measured with torch 2.13).
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, h, w) → the same shape (Wu & He, "Group Normalization", 2018)."""
        if input.device.type != "cpu" or input.dtype != torch.float32:
            return super().forward(input)

        def group_mean(values: Tensor) -> Tensor:
            of_channels = values.mean(dim=(2, 3)).unflatten(1, (self.num_groups, -1))
            return of_channels.mean(dim=2, keepdim=True).expand_as(of_channels).flatten(1)[..., None, None]

        centred = input - group_mean(input)
        gain = torch.rsqrt(group_mean(centred.square()) + self.eps) * self.weight.view(1, -1, 1, 1)
        return torch.addcmul(self.bias.view(1, -1, 1, 1), centred, gain, out=centred)
