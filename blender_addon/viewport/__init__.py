"""The streamed overlay of 3D viewports, and points in solid shading."""
