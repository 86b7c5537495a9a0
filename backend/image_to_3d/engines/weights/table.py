"""Which weights there are: where they are published and under which terms."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ...core.errors import ErrorCode, ImageTo3DError


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
WEIGHTS: dict[str, WeightsFile] = {
    file.name: file
    for file in (
        WeightsFile(
            "sharp",
            "sharp_2572gikvuh.pt",
            "https://ml-site.cdn-apple.com/models/sharp/sharp_2572gikvuh.pt",
            2_810_000_000,
            APPLE_RESEARCH,
            "image_to_3d.engines.sharp.state_dict:check_published",
        ),
        WeightsFile(
            "midas-small",
            "midas_v21_small_256.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v2_1/midas_v21_small_256.pt",
            86_000_000,
            MIT,
            "image_to_3d.engines.midas.state_dict:check_small",
        ),
        WeightsFile(
            "dpt-large",
            "dpt_large_384.pt",
            "https://github.com/isl-org/MiDaS/releases/download/v3/dpt_large_384.pt",
            1_380_000_000,
            MIT,
            "image_to_3d.engines.midas.state_dict:check_large",
        ),
    )
}


def lookup(name: str) -> WeightsFile:
    """The row of the table.

    Raises:
        ImageTo3DError: ``bad_request`` for an unknown name.
    """
    if name not in WEIGHTS:
        raise ImageTo3DError(
            ErrorCode.BAD_REQUEST,
            f"There are no weights called {name[:40]!r}.",
            f"Choose one of: {', '.join(WEIGHTS)}.",
        )
    return WEIGHTS[name]
