"""Files: photos, depth maps, PLY of 3D Gaussians, video."""
