"""MiDaS: relative inverse depth of a photo (Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2020; "Vision
Transformers for Dense Prediction", ICCV 2021).

Own networks that load the published checkpoints by their tensor names and give what the published programs give. One module per
step: ``preprocessing`` (photo → network input), ``network_small`` and ``network_dpt`` with the ``blocks`` they share,
``state_dict`` (loading), ``engine`` (disparity, and its lifting to Gaussians).
"""

from ..base import EngineInfo

SMALL = EngineInfo(
    name="midas-small",
    summary="relative depth in a tenth of a second, also on a CPU (MiDaS v2.1 small); not metric until calibrated",
    metric=False,
    licence="MIT",
    needs_weights=True,
)
LARGE = EngineInfo(
    name="dpt-large",
    summary="relative depth in more detail, seconds on a CPU (DPT-Large); not metric until calibrated",
    metric=False,
    licence="MIT",
    needs_weights=True,
)
