"""Every message of the wire, and nothing else. Both ends import this module; the annotations are the schema.

Arrays are little-endian and C-ordered, in the OpenCV camera frame, metres, linear colour; see
:class:`~image_to_3d.core.GaussianCloud`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from ..core import GaussianCloud, Grid, Intrinsics, Provenance
from ..core.cloud.gaussians import CARRIED_DETAILS
from ..core.imaging import frame_codec
from . import arrays
from .parts import Camera as Camera
from .parts import EngineState as EngineState
from .parts import Focal as Focal
from .parts import Instance as Instance
from .schema import JsonObject, SchemaError

PROTOCOL_VERSION = 2
SCHEMA_FINGERPRINT = "95f7800d8fe4f8f6"
"""Of all messages below: another schema needs another version, see ``tests/rules/test_versions.py``."""

REQUESTS: dict[str, type[Message]] = {}
REPLIES: dict[str, type[Message]] = {}


@dataclass(frozen=True, eq=False)
class Message:
    """Base of all messages; ``TYPE`` is the name on the wire."""

    TYPE: ClassVar[str] = ""


def _request(cls: type[Message]) -> Any:
    REQUESTS[cls.TYPE] = cls
    return cls


def _reply(cls: type[Message]) -> Any:
    REPLIES[cls.TYPE] = cls
    return cls


@dataclass(frozen=True, eq=False)
class CloudMessage(Message):
    """The fields of a cloud, shared by the messages that carry one.

    Attributes:
        inverse_depth: how relative inverse depth became metres, see
            :meth:`~image_to_3d.core.depth.relative_depth.AffineInverseDepth.to_details`; None for engines with metres of their own.
        invented_layers: layers of the grid that no photo shows, see :mod:`~image_to_3d.core.cloud.background_fill`.
        depth_error: how wrong the depth may be, see :meth:`~image_to_3d.core.lengths.error_field.ErrorField.to_plain`; None where
            nobody knows.
        camera_lines: what the straight lines of the photo tell, see :mod:`~image_to_3d.core.surfaces.plumb_lines`.
    """

    positions: arrays.Vectors
    scales: arrays.Vectors
    rotations: arrays.Quaternions
    colours: arrays.Vectors
    opacities: arrays.Scalars
    grid_index: arrays.Indices | None = None
    grid: list[int] | None = None
    intrinsics: list[float] | None = None
    image_size: list[int] | None = None
    engine: str = ""
    metric: bool = True
    focal_source: str | None = None
    photo: str = ""
    inverse_depth: JsonObject | None = None
    invented_layers: list[int] | None = None
    depth_error: JsonObject | None = None
    camera_lines: JsonObject | None = None

    def to_cloud(self) -> GaussianCloud:
        """The validated cloud; arrays are shared, not copied.

        Raises:
            SchemaError: the arrays do not fit together.
        """
        carried = {name: getattr(self, name) for name in CARRIED_DETAILS}
        details = {key: value for key, value in carried.items() if value is not None}
        try:
            return GaussianCloud(
                positions=self.positions,
                scales=self.scales,
                rotations=self.rotations,
                colours=self.colours,
                opacities=self.opacities,
                grid_index=self.grid_index,
                grid=None if self.grid is None else Grid(*self.grid),
                intrinsics=self._intrinsics(),
                provenance=Provenance(self.engine, self.metric, self.focal_source, self.photo, details),
            )
        except (ValueError, TypeError) as error:
            raise SchemaError(f"the cloud is not valid: {error}") from None

    def _intrinsics(self) -> Intrinsics | None:
        if self.intrinsics is None or self.image_size is None:
            return None
        fx, fy, cx, cy = self.intrinsics
        width, height = self.image_size
        return Intrinsics(fx, fy, cx, cy, width, height)


def cloud_fields(cloud: GaussianCloud) -> dict[str, Any]:
    """Keyword arguments of a :class:`CloudMessage` for a cloud; arrays are shared, not copied."""
    k, grid = cloud.intrinsics, cloud.grid
    return {
        "positions": cloud.positions,
        "scales": cloud.scales,
        "rotations": cloud.rotations,
        "colours": cloud.colours,
        "opacities": cloud.opacities,
        "grid_index": cloud.grid_index,
        "grid": None if grid is None else [grid.layers, grid.rows, grid.cols],
        "intrinsics": None if k is None else [k.fx, k.fy, k.cx, k.cy],
        "image_size": None if k is None else [k.width, k.height],
        "engine": cloud.provenance.engine,
        "metric": cloud.provenance.metric,
        "focal_source": cloud.provenance.focal_source,
        "photo": cloud.provenance.photo,
    } | {name: cloud.provenance.details.get(name) for name in CARRIED_DETAILS}


# --- requests ----------------------------------------------------------------------------------------------------------


@_request
@dataclass(frozen=True, eq=False)
class Hello(Message):
    """First message of a client on each socket. Answered by ``welcome``.

    Attributes:
        client, client_version: for the log.
        shares_files: large arrays may come as files in the folder that the server published, see :mod:`.mapped_files`.
    """

    TYPE: ClassVar[str] = "hello"
    client: str
    client_version: str
    shares_files: bool = False


@_request
@dataclass(frozen=True, eq=False)
class Predict(Message):
    """Photo → Gaussians. Answered by ``accepted``, any number of ``progress``, then ``result`` or ``error``.

    Bytes travel, never paths: the photo is either a compressed file or pixels, the depth map either a file or metres.

    Attributes:
        engine: name, or ``auto``.
        photo_name: for people, and its suffix for formats that need one.
        photo_file: compressed picture.
        photo_pixels: (H, W, 1, 3 or 4), top row first, sRGB; floats in [0, 1].
        mm35, fov_deg: focal length by a person; None: from the photo.
        depth_file, depth_name: depth file and its name (the suffix tells the format).
        depth_metres: (H, W) planar depth, NaN or 0 = unknown.
        resize_depth: stretch a depth map of the same aspect to the photo's size.
        mask: (H, W), not 0 where the photo gives no Gaussians.
        depth_max: drop Gaussians beyond so many metres.
        alpha_threshold: drop Gaussians fainter than this.
        max_gaussians: merge down to at most so many.
        precision: see :class:`~image_to_3d.engines.base.EngineOptions`.
        fill: see :func:`~image_to_3d.core.cloud.background_fill.with_fill`.
    """

    TYPE: ClassVar[str] = "predict"
    engine: str = "auto"
    photo_name: str = ""
    photo_file: arrays.FileBytes | None = None
    photo_pixels: arrays.Pixels | None = None
    mm35: float | None = None
    fov_deg: float | None = None
    depth_name: str = ""
    depth_file: arrays.FileBytes | None = None
    depth_metres: arrays.DepthMap | None = None
    resize_depth: bool = False
    mask: arrays.Mask | None = None
    depth_max: float | None = None
    alpha_threshold: float = 0.0
    max_gaussians: int | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    fill: bool | None = None


@_request
@dataclass(frozen=True, eq=False)
class Cancel(Message):
    """Stop a job of this client. Answered by ``accepted``; the job itself ends with ``error`` ``cancelled``."""

    TYPE: ClassVar[str] = "cancel"
    job: int


@_request
@dataclass(frozen=True, eq=False)
class UploadScene(CloudMessage):
    """Make a cloud resident, after a restart of the server or for a PLY. Answered by ``accepted`` with the scene id.

    The id is derived from the content, so uploading twice is harmless.
    """

    TYPE: ClassVar[str] = "upload_scene"


@_request
@dataclass(frozen=True, eq=False)
class DropScene(Message):
    """Forget a resident scene. Answered by ``accepted``, also if it is already gone."""

    TYPE: ClassVar[str] = "drop_scene"
    scene: str


@_request
@dataclass(frozen=True, eq=False)
class Render(Message):
    """One picture of resident scenes, on the frame socket. Answered by ``frame``, ``coded_frame``, ``linear_frame`` or ``error``.

    Attributes:
        frame: chosen by the client, comes back with the picture.
        instances: scenes and where they stand.
        eps2d: pixels² added to the projected covariance.
        detail: 1 draws every Gaussian; at n > 1 a slow renderer may draw one for each n × n cells of the picture grid.
        latest_only: skip this frame, with ``error`` ``cancelled``, if a newer one of the same client waits.
        linear: answer with the picture as it was drawn (``linear_frame``): for final pictures rather than previews.
        quality: answer with a picture made small (``coded_frame``), 1 to 100 as JPEG's; None: as it is.
    """

    TYPE: ClassVar[str] = "render"
    frame: int
    instances: list[Instance]
    camera: Camera
    eps2d: float = 0.3
    latest_only: bool = True
    detail: int = 1
    linear: bool = False
    quality: int | None = None


@_request
@dataclass(frozen=True, eq=False)
class Status(Message):
    """Answered by ``state``."""

    TYPE: ClassVar[str] = "status"


@_request
@dataclass(frozen=True, eq=False)
class Shutdown(Message):
    """Stop the server; running work ends with ``error`` ``shutting_down``. Answered by ``accepted``."""

    TYPE: ClassVar[str] = "shutdown"


# --- replies -----------------------------------------------------------------------------------------------------------


@_reply
@dataclass(frozen=True, eq=False)
class Welcome(Message):
    """What the server is.

    Attributes:
        device: for people, e.g. ``cuda (NVIDIA …)``.
        memory_bytes: free memory of the device.
        frames_port: TCP port of the frame socket, on the same host as the control socket.
        capabilities: names of optional features, e.g. ``render``.
        renderer: what will draw pictures here and why, one sentence; empty until that is known.
        auto_engine: the engine that ``auto`` stands for here with a bare photo; empty if none can run.
        auto_engine_with_depth: the same with a depth file.
    """

    TYPE: ClassVar[str] = "welcome"
    server_version: str
    protocol_version: int
    device: str
    memory_bytes: int
    frames_port: int
    engines: list[EngineState]
    capabilities: list[str]
    renderer: str = ""
    auto_engine: str = ""
    auto_engine_with_depth: str = ""


@_reply
@dataclass(frozen=True, eq=False)
class Accepted(Message):
    """The request is taken.

    Attributes:
        position: jobs before this one; 0 = it starts now.
        scene: id of an uploaded scene.
    """

    TYPE: ClassVar[str] = "accepted"
    position: int = 0
    scene: str = ""


@_reply
@dataclass(frozen=True, eq=False)
class ProgressReport(Message):
    """Work really done: stage and fraction of the whole job in [0, 1]; while it waits, how many are ahead of it."""

    TYPE: ClassVar[str] = "progress"
    stage: str
    fraction: float
    ahead: int = 0


@_reply
@dataclass(frozen=True, eq=False)
class Result(CloudMessage):
    """The Gaussians of a photo; the scene stays resident under ``scene``.

    ``warnings`` are in English; ``notices`` holds key and values of each, for who says them in other words.
    ``heading_deg`` is the compass direction of the view, clockwise from north, if the photo tells it.
    """

    TYPE: ClassVar[str] = "result"
    scene: str = ""
    focal: Focal | None = None
    device: str = ""
    precision: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    notices: list[JsonObject] = field(default_factory=list)
    heading_deg: float | None = None


@_reply
@dataclass(frozen=True, eq=False)
class Frame(Message):
    """A rendered picture, top row first.

    Attributes:
        colour: (H, W, 4) sRGB-encoded colour, then multiplied by alpha, and alpha.
        depth: (H, W) float16 metres along the camera's z, infinite where nothing is.
        size: width, height, to be compared with what was asked for.
    """

    TYPE: ClassVar[str] = "frame"
    frame: int
    size: list[int]
    colour: arrays.Colour8
    depth: arrays.Depth16
    seconds: float = 0.0


@_reply
@dataclass(frozen=True, eq=False)
class CodedFrame(Message):
    """A :class:`Frame` made small for a slow connection, see :mod:`image_to_3d.core.imaging.frame_codec`.

    Attributes:
        colour, depth: coded.
        size: width, height, to be compared with what was asked for.
    """

    TYPE: ClassVar[str] = "coded_frame"
    frame: int
    size: list[int]
    colour: arrays.Coded
    depth: arrays.Coded
    seconds: float = 0.0

    def to_frame(self) -> Frame:
        """The picture.

        Raises:
            SchemaError: the bytes are no picture of this size.
        """
        if len(self.size) != 2 or not all(0 < n <= arrays.MAX_CODED_SIDE for n in self.size) or not len(self.colour):
            raise SchemaError("the size of a coded picture is not two positive numbers")
        try:
            colour = frame_codec.decode_colour(self.colour, *self.size)
            depth = frame_codec.decode_depth(self.depth, *self.size)
        except ValueError as error:
            raise SchemaError(str(error)) from None
        return Frame(self.frame, self.size, colour, depth, self.seconds)


@_reply
@dataclass(frozen=True, eq=False)
class LinearFrame(Message):
    """A rendered picture as the renderer made it, top row first.

    Attributes:
        colour: (H, W, 4) linear RGB, premultiplied by alpha and not clamped, and alpha.
        depth: (H, W) metres along the camera's z, infinite where nothing is.
        size: width, height, to be compared with what was asked for.
    """

    TYPE: ClassVar[str] = "linear_frame"
    frame: int
    size: list[int]
    colour: arrays.LinearColour
    depth: arrays.LinearDepth
    seconds: float = 0.0


@_reply
@dataclass(frozen=True, eq=False)
class State(Message):
    """What the server is doing: uptime, jobs, scenes, memory."""

    TYPE: ClassVar[str] = "state"
    report: JsonObject


@_reply
@dataclass(frozen=True, eq=False)
class ErrorReply(Message):
    """A failure, as data and in plain words. What older versions know of it never changes.

    Attributes:
        code: see :class:`~image_to_3d.core.ErrorCode`.
        message, hint: in English, for peers that do not know the key.
        key, values: see :class:`~image_to_3d.core.ImageTo3DError`.
    """

    TYPE: ClassVar[str] = "error"
    code: str
    message: str
    hint: str = ""
    key: str = ""
    values: JsonObject | None = None


def bytes_blob(data: bytes) -> Any:
    """File bytes as a blob field."""
    return np.frombuffer(data, np.uint8)
