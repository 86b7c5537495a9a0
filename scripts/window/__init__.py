"""A Blender with a window, driven from outside by a mouse and a keyboard.

A scenario is a folder ``scenarios/NAME`` with two files that take turns:

``inside.py``
    runs in Blender. ``steps()`` is a generator: it sets the scene, ``yield``\\ s the seconds until it wants to go on, and says
    ``yield from window.show("before", fact=1)`` when a step is on screen; that waits until the other side has looked.
``outside.py``
    ``drive(blender, output)`` answers each step in the same order: ``facts = blender.wait("before")``, takes pictures, moves the
    mouse, then ``blender.go_on("before")``. ``BACKEND`` (optional) is what the Python of the backend runs: a list of arguments, or
    None for no backend; by default ``image-to-3d serve`` of this repository. ``WINDOW`` (optional): pixels of Blender's window.

Both sides meet in a folder: inside writes ``STEP.json``, outside writes ``STEP.done``.
"""
