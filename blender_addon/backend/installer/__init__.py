"""Make the private environment in which the backend runs: PyTorch and this project, and nothing in Blender's own Python.

Standard library only, no bpy: the extension runs it on a thread (see :mod:`.installation`), and a person may run
this folder as a program with any Python that it lists in ``pythons``::

    python installer --folder FOLDER [--python PYTHON] [--torch auto|cpu|cuda] [--remove]

Below FOLDER:

- ``installation.json`` says which environment is complete; written last and in one step, so that nothing is ever half-installed;
- ``a`` and ``b``: environments. A new one is made beside the one in use, which goes when the new one is complete;
- ``cache`` and ``tmp``: what pip has fetched so far. They stay after a failure, so that the next try goes on from there;
- ``install.log``: everything that was said; ``lock``: held while somebody installs.
"""
