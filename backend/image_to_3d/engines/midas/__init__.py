"""MiDaS: relative inverse depth of a photo (Ranftl et al., "Towards Robust Monocular Depth Estimation", TPAMI 2020; "Vision
Transformers for Dense Prediction", ICCV 2021).

Own networks that load the published checkpoints by their tensor names and give what the published programs give. One module per
step: ``preprocessing`` (photo → network input), ``network_small`` and ``network_dpt`` with the ``blocks`` they share,
``state_dict`` (loading), ``engine`` (disparity, and its lifting to Gaussians).
"""
