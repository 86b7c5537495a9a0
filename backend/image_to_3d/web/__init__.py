"""A page in the browser: drop a photo, see its depth, turn the 3D result, take the PLY home.

``worker`` makes the files of a photo and knows nothing of browsers, ``page`` is the page (Gradio), ``app`` serves it with the
viewer in ``viewer/`` (own WebGL 2, no other files, nothing from elsewhere).
"""
