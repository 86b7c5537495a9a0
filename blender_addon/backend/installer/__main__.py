"""``python …/backend/installer --folder FOLDER``: the installer without Blender.

A folder that is run has no name as a package, so it is given one: its parent folder is looked in first, and only for that.
"""

import sys
from pathlib import Path

_PARENT = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, _PARENT)
from installer.cli import main  # noqa: E402 - its own package can be found only now

sys.path.remove(_PARENT)

if __name__ == "__main__":
    sys.exit(main())
