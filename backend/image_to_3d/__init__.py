"""Image to 3D: one photograph to a metric 3D scene.

Importing this package, :mod:`image_to_3d.core` or :mod:`image_to_3d.protocol` loads neither torch nor Pillow nor bpy:
the Blender extension bundles them.
"""

__version__ = "0.1.0"
