"""Reports of planes, and the heat map of distances from one."""
