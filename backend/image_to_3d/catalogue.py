"""What is known of every engine, once: command line, server, web page, panel and measuring read it here.

A new engine is one folder below ``engines/`` and one row of :data:`ENGINES`. Data only: no engine is imported.
"""

from __future__ import annotations

import hashlib
from dataclasses import KW_ONLY, dataclass

UNKNOWN_SCALE_SD = 0.10
"""Relative standard deviation of the scale of a metric engine that is not in the table: of a file from elsewhere."""
RELATIVE_SCALE_SD = 0.50
"""The same where depth is relative and metres are assumed."""


@dataclass(frozen=True)
class Licence:
    """Terms of a weights file.

    Attributes:
        name: short name.
        terms: what a person must know before using the file, in our words.
        url: the text that binds.
        needs_consent: the file is only used by those who accepted the terms.
    """

    name: str
    terms: str
    url: str
    needs_consent: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of what is shown: consent to other words is no consent to these."""
        return hashlib.sha256(f"{self.name}\n{self.terms}\n{self.url}".encode()).hexdigest()


@dataclass(frozen=True)
class WeightsFile:
    """One checkpoint.

    Attributes:
        name: of the engine that uses it.
        file_name: in the cache folder and in torch hub's.
        url: where it is published.
        size: bytes, roughly, for the question whether there is room.
        licence: its terms.
        check: ``module:function`` that takes the path and raises ImageTo3DError if the file is not that network.
    """

    name: str
    file_name: str
    url: str
    size: int
    licence: Licence
    check: str

    @property
    def variable(self) -> str:
        """Environment variable that may name the file."""
        return f"IMAGE_TO_3D_{self.name.upper().replace('-', '_')}_CHECKPOINT"


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
        weights: the checkpoint that must be present; None if none needs to be fetched.
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
    weights: WeightsFile | None = None
    scale_sd: float = UNKNOWN_SCALE_SD
    automatic: int = 0
    stages: tuple[str, ...] = ("network",)
    number: int = 0

    @property
    def needs_weights(self) -> bool:
        """A checkpoint must be present."""
        return self.weights is not None


APPLE_RESEARCH = Licence(
    "Apple Machine Learning Research Model licence (apple-amlr)",
    "These weights are Apple's. They may be used for non-commercial scientific research only: not in or for a commercial product "
    "or service, and not to make one. Who passes them on must pass the licence text on with them.",
    "https://github.com/apple/ml-sharp/blob/main/LICENSE_MODEL",
    needs_consent=True,
)
MIT = Licence(
    "MIT",
    "Free for any use, as long as the licence text goes along.",
    "https://github.com/isl-org/MiDaS/blob/master/LICENSE",
)

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
            weights=WeightsFile(
                "sharp",
                "sharp_2572gikvuh.pt",
                "https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt",
                2_810_000_000,
                APPLE_RESEARCH,
                "image_to_3d.engines.sharp.state_dict:check_published",
            ),
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
            weights=WeightsFile(
                "midas-small",
                "midas_v21_small_256.pt",
                "https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_small_256.pt",
                86_000_000,
                MIT,
                "image_to_3d.engines.midas.state_dict:check_small",
            ),
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
            weights=WeightsFile(
                "dpt-large",
                "dpt_large_384.pt",
                "https://github.com/isl-org/MiDaS/releases/download/v3/dpt_large_384.pt",
                1_380_000_000,
                MIT,
                "image_to_3d.engines.midas.state_dict:check_large",
            ),
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


def better_engine(engine: str) -> EngineInfo | None:
    """The engine to recommend to who used one that *Automatic* only takes because a better one is not there; None if none is."""
    used = ENGINES.get(engine)
    if used is None or not used.automatic or used.needs_depth:
        return None
    return next((info for info in automatic_order(False) if info.automatic > used.automatic), None)


def owner_of_checkpoint(engine: str) -> str:
    """The engine that a checkpoint belongs to which a person named beside an engine, or beside ``auto``: of no other one.

    With ``auto`` that is the best engine that has weights at all.
    """
    if engine != "auto":
        return engine
    return next((info.name for info in automatic_order(False) if info.needs_weights), "")
