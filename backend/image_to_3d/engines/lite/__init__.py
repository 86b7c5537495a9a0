"""`lite`: the built-in engine. A small network of our own, trained on scenes of our own; free for any use.

``network`` (the layers), ``weights`` (their file), ``depth`` (photo → depth map), ``upsampling`` (to the photo's edges),
``engine``. How it was trained is in ``scripts/train_lite``, what it can and cannot do in ``docs/lite.md``.
"""
