"""Files of Gaussian splats in and out."""
