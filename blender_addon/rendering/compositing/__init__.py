"""Furniture and splats in one picture: Cycles or EEVEE renders the objects, the engine of this add-on the photo, and the
compositor merges both by depth and lays the objects' shadows and light upon the photo."""
