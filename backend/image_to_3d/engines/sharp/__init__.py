"""SHARP: one photo → 2 × 768 × 768 metric Gaussians in one forward pass.

The network of Mescheder et al., "Sharp Monocular View Synthesis in Less Than a Second" (arXiv 2512.10685), written from its
description. One module per paragraph: ``pyramid`` (crops and merging), ``encoder`` (two Vision Transformers and five levels of
features), ``decoder`` (multi-resolution decoder and disparity head), ``initializer`` (disparity → base Gaussians),
``gaussian_head`` (features and refinements), ``composer`` (base ⊕ refinement), ``network`` (all of it, under the names of the
published checkpoint), ``unprojection`` (NDC → metres, covariance → scales and rotation), ``engine``.
"""
