"""Arrays as Blender stores them: points, surface, camera, figures of dimensions. numpy only; Blender itself is not needed."""
