"""What is known of every engine, once: command line, server, web page, panel and measuring read it here.

A new engine is one folder below ``engines/`` and one row of :data:`ENGINES`. Data only: no engine is imported.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

UNKNOWN_SCALE_SD = 0.10
"""Relative standard deviation of the scale of a metric engine that is not in the table: of a file from elsewhere."""
RELATIVE_SCALE_SD = 0.50
"""The same where depth is relative and metres are assumed."""


@dataclass(frozen=True)
class EngineInfo:
    """What a person and the programs need to know of an engine. Words are English; each surface translates them.

    Attributes:
        name: on the command line, on the wire and in files.
        summary: one line, for lists.
        metric: lengths come out in metres without calibration.
        implementation: the class that does it, as ``module:class``; imported when it is used.
        title: in menus.
        description: under the title, one sentence without a full stop.
        licence: of the weights, as a short name; "none" if there are none.
        rights: what the licence means for a person, one line.
        needs_depth: a depth file must come with the photo.
        needs_weights: a checkpoint must be present.
        scale_sd: relative standard deviation assumed for the scale of its metres.
        automatic: how early *Automatic* takes it, higher first, among the engines that are ready; 0: never.
        stages: of its progress, in their order; words for them are in :data:`STAGES`.
        number: of its menu entry, which .blend files hold: never changes, never used again; 0: in no menu.
    """

    name: str
    summary: str
    metric: bool
    _: KW_ONLY
    implementation: str = ""
    title: str = ""
    description: str = ""
    licence: str = "none"
    rights: str = ""
    needs_depth: bool = False
    needs_weights: bool = False
    scale_sd: float = UNKNOWN_SCALE_SD
    automatic: int = 0
    stages: tuple[str, ...] = ("network",)
    number: int = 0


ENGINES: dict[str, EngineInfo] = {
    info.name: info
    for info in (
        EngineInfo(
            "sharp",
            "1.2 million Gaussians in metres, with what lies just behind edges (Apple's SHARP)",
            True,
            implementation="image_to_3d.engines.sharp.engine:SharpEngine",
            title="SHARP",
            description="Gaussians in metres from one photo. Its weights are for research only",
            licence="apple-amlr (research only)",
            rights="Weights for research only, no commercial use",
            needs_weights=True,
            scale_sd=0.10,
            automatic=100,
            stages=("load", "preprocess", "encoder", "depth", "gaussians", "postprocess"),
            number=1,
        ),
        EngineInfo(
            "depth-map",
            "photo + depth file in metres (LiDAR phone, RGB-D camera, another network)",
            True,
            implementation="image_to_3d.engines.depth_map:DepthMapEngine",
            title="Depth File",
            description="Exact where the depth file is: LiDAR phone, RGB-D camera, another network",
            rights="Needs no weights",
            needs_depth=True,
            scale_sd=0.03,
            automatic=100,
            stages=("lift",),
            number=2,
        ),
        EngineInfo(
            "lite",
            "built-in: a small network, approximate scale, always there",
            True,
            implementation="image_to_3d.engines.lite.engine:LiteEngine",
            title="Lite",
            description="Small network that comes with the backend; approximate metres",
            licence="ours, free for any use",
            rights="Free to use, comes with the backend",
            scale_sd=0.35,
            automatic=10,
            stages=("network", "lift"),
            number=3,
        ),
        EngineInfo(
            "midas-small",
            "relative depth in a tenth of a second, also on a CPU (MiDaS v2.1 small); not metric until calibrated",
            False,
            implementation="image_to_3d.engines.midas.engine:MidasSmallEngine",
            title="MiDaS Small",
            description="Relative depth, small and fast; needs a known length to become metric",
            licence="MIT",
            rights="Free to use (MIT)",
            needs_weights=True,
            scale_sd=RELATIVE_SCALE_SD,
            stages=("load", "preprocess", "network", "postprocess"),
            number=4,
        ),
        EngineInfo(
            "dpt-large",
            "relative depth in more detail, seconds on a CPU (DPT-Large); not metric until calibrated",
            False,
            implementation="image_to_3d.engines.midas.engine:DPTLargeEngine",
            title="DPT Large",
            description="Relative depth, finer; needs a known length to become metric",
            licence="MIT",
            rights="Free to use (MIT)",
            needs_weights=True,
            scale_sd=RELATIVE_SCALE_SD,
            stages=("load", "preprocess", "network", "postprocess"),
            number=5,
        ),
    )
}
"""The engines by name, in the order of lists and menus.

``scale_sd`` is an assumption, not a measurement: nobody has published how well SHARP's scale is known, and a depth file may come
from a LiDAR phone (1 %) or another network (5 % and more)."""

STAGES: dict[str, str] = {
    "waiting": "Waiting for other jobs",
    "decode": "Decoding the photo",
    "load": "Loading the network",
    "preprocess": "Preparing the photo",
    "network": "Running the network",
    "encoder": "Running the network",
    "depth": "Estimating depth",
    "gaussians": "Making Gaussians",
    "postprocess": "Making Gaussians",
    "lift": "Lifting pixels to their depth",
    "pack": "Sending the result",
    "write": "Writing the files",
}
"""What a stage of progress is called for a person."""


def scale_sd(engine: str, metric: bool) -> float:
    """Relative standard deviation to assume for the scale of a cloud.

    Args:
        engine: that made it, by name; also one that is not known here.
        metric: whether its lengths are in metres.
    """
    if not metric:
        return RELATIVE_SCALE_SD
    info = ENGINES.get(engine)
    return UNKNOWN_SCALE_SD if info is None else info.scale_sd


def automatic_order(has_depth: bool) -> list[EngineInfo]:
    """The engines that *Automatic* may take, the best first.

    Args:
        has_depth: whether a depth file comes with the photo, which is then what is taken.
    """
    found = [info for info in ENGINES.values() if info.automatic and info.needs_depth == has_depth]
    return sorted(found, key=lambda info: -info.automatic)


def owner_of_checkpoint(engine: str) -> str:
    """The engine that a checkpoint belongs to which a person named beside an engine, or beside ``auto``: of no other one.

    With ``auto`` that is the best engine that has weights at all.
    """
    if engine != "auto":
        return engine
    return next((info.name for info in automatic_order(False) if info.needs_weights), "")
