"""What arrays of messages hold: numpy's type for whoever reads the code, and what is checked of those that come."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from .schema import ArraySpec

PHOTO_BYTES = 256_000_000
PIXEL_BYTES = 200_000_000 * 16
CLOUD_BYTES = 4_000_000_000
FRAME_BYTES = 8192 * 8192 * 4
MAX_CODED_SIDE = 8192

Vectors = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None, 3), CLOUD_BYTES)]
Quaternions = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None, 4), CLOUD_BYTES)]
Scalars = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None,), CLOUD_BYTES)]
Indices = Annotated[NDArray[np.int32], ArraySpec(("<i4",), (None,), CLOUD_BYTES)]
FileBytes = Annotated[NDArray[np.uint8], ArraySpec(("|u1",), (None,), PHOTO_BYTES)]
Pixels = Annotated[
    NDArray[np.uint8 | np.uint16 | np.float32], ArraySpec(("|u1", "<u2", "<f4"), (None, None, None), PIXEL_BYTES)
]
DepthMap = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None, None), PIXEL_BYTES)]
Mask = Annotated[NDArray[np.uint8], ArraySpec(("|u1",), (None, None), PIXEL_BYTES)]
Colour8 = Annotated[NDArray[np.uint8], ArraySpec(("|u1",), (None, None, 4), FRAME_BYTES)]
Depth16 = Annotated[NDArray[np.float16], ArraySpec(("<f2",), (None, None), FRAME_BYTES)]
Coded = Annotated[NDArray[np.uint8], ArraySpec(("|u1",), (None,), FRAME_BYTES)]
LinearColour = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None, None, 4), 4 * FRAME_BYTES)]
LinearDepth = Annotated[NDArray[np.float32], ArraySpec(("<f4",), (None, None), FRAME_BYTES)]
