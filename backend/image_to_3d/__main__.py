"""``python -m image_to_3d``: the same as the command ``image-to-3d``."""

import sys

from .cli import main

sys.exit(main())
