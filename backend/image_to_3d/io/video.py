"""MP4 films (H.264), by the ffmpeg that the optional package ``imageio-ffmpeg`` brings."""

from __future__ import annotations

import subprocess
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ErrorCode, ImageTo3DError
from .atomic import atomic_path

_QUALITY = 18  # constant rate factor of x264: visually lossless


def ffmpeg() -> str:
    """Path of the ffmpeg program.

    Raises:
        ImageTo3DError: ``engine_failed`` if the optional package or its program is missing.
    """
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise ImageTo3DError(ErrorCode.ENGINE_FAILED, "rendering.ffmpeg_missing") from None


class VideoWriter:
    """An MP4 being written; a context manager, and the file appears when it ends without an error.

    The frames are full-range sRGB; the file is limited-range BT.709 (ITU-R BT.709-6) and tagged as such, which is what players
    assume for HD. H.264 in 4:2:0 needs even sizes: an odd one is extended by repeating its last column or row.

    Args:
        path: of the file.
        width, height: of the frames, pixels.
        fps: frames per second.

    Raises:
        ImageTo3DError: ffmpeg is missing, fails, or the folder is not writable.
    """

    def __init__(self, path: str | Path, width: int, height: int, fps: float) -> None:
        self._path = Path(path)
        self._size = width, height
        self._fps = fps
        self._cleanup = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: IO[bytes] | None = None

    def __enter__(self) -> VideoWriter:
        program = ffmpeg()
        width, height = (side + side % 2 for side in self._size)
        with ExitStack() as stack:
            temporary = stack.enter_context(atomic_path(self._path))
            self._messages = stack.enter_context(tempfile.TemporaryFile())
            command = [
                *(program, "-loglevel", "error", "-y"),
                *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._fps:g}", "-i", "-"),
                *("-vf", "scale=in_range=full:out_range=limited:out_color_matrix=bt709", "-pix_fmt", "yuv420p"),
                *("-c:v", "libx264", "-crf", str(_QUALITY), "-preset", "medium"),
                *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
                *("-movflags", "+faststart", str(temporary)),
            ]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._messages
            )
            self._cleanup = stack.pop_all()
        return self

    def write(self, pixels: NDArray[np.uint8]) -> None:
        """Append one sRGB frame (H, W, 3) uint8.

        Raises:
            ValueError: the frame has another size than the film.
        """
        width, height = self._size
        if pixels.shape != (height, width, 3) or pixels.dtype != np.uint8:
            raise ValueError(f"a frame of this film is ({height}, {width}, 3) uint8, not {pixels.shape} {pixels.dtype}")
        assert self._process is not None and self._process.stdin is not None
        even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        try:
            self._process.stdin.write(np.ascontiguousarray(even).data)
        except OSError:
            self._process.wait()
            raise self._failure() from None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        if kind is not None:
            self._process.kill()
        with suppress(OSError):  # ffmpeg has ended; its exit status tells why
            self._process.stdin.close()
        status = self._process.wait()
        if kind is not None:
            self._cleanup.__exit__(kind, error, traceback)
        elif status:
            failure = self._failure()
            self._cleanup.__exit__(type(failure), failure, None)
            raise failure
        else:
            self._cleanup.__exit__(None, None, None)

    def _failure(self) -> ImageTo3DError:
        last = ""
        if self._messages is not None and not self._messages.closed:
            self._messages.seek(0)
            lines = self._messages.read().decode(errors="replace").strip().splitlines()
            last = f" ({lines[-1]})" if lines else ""
        return ImageTo3DError(ErrorCode.ENGINE_FAILED, "rendering.ffmpeg_failed", path=self._path, last=last)
