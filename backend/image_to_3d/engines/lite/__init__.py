"""`lite`: the built-in engine. A small network of our own, trained on scenes of our own; free for any use.

``network`` (the layers), ``weights`` (their file), ``depth`` (photo → depth map), ``upsampling`` (to the photo's edges),
``engine``. How it was trained is in ``scripts/train_lite``, what it can and cannot do in ``docs/lite.md``.
"""

from ..base import EngineInfo

INFO = EngineInfo(
    name="lite",
    summary="built-in: a small network, approximate scale, always there",
    metric=True,
    licence="ours, free for any use",
)
