"""A length as people write it: no more digits than its interval allows, in the units of the scene.

An uncertainty is given with one significant digit, or two where the first is a 1, and the length to the same place (JCGM
100:2008, 7.2.6, allows at most two).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FOOT, INCH = 0.3048, 0.0254

_UNITS = {
    "KILOMETERS": ("km", 1e3),
    "METERS": ("m", 1.0),
    "CENTIMETERS": ("cm", 1e-2),
    "MILLIMETERS": ("mm", 1e-3),
    "MICROMETERS": ("µm", 1e-6),
    "MILES": ("mi", 1609.344),
    "FEET": ("ft", FOOT),
    "INCHES": ("in", INCH),
    "THOU": ("thou", INCH / 1000),
}
_MOST_DECIMALS = 4
UNEVEN = 0.2
"""From which share of half its width on the middle of an interval beside the length is shown: both ends are written then."""


@dataclass(frozen=True)
class Units:
    """How a scene wants lengths: Blender's names of a system and of a unit.

    Attributes:
        system: ``METRIC``, ``IMPERIAL`` or ``NONE`` (bare numbers, in metres).
        unit: as Blender names it, ``ADAPTIVE`` for metres, or feet and inches.
    """

    system: str = "METRIC"
    unit: str = "ADAPTIVE"


def length_label(metres: float, interval: tuple[float, float] | None = None, units: Units | None = None) -> str:
    """ "2.60 m ± 0.04", "8' 6.4\\" ± 1.6\\"", "2.6 m (1.9 to 3.6)", or the length alone.

    Args:
        metres: the length, ≥ 0.
        interval: its least and its largest value, metres; None: the length to the millimetre, alone.
        units: of the scene; None: metres.
    """
    half = None if interval is None else (interval[1] - interval[0]) / 2
    if interval is not None and half and abs(interval[0] + interval[1] - 2 * metres) > UNEVEN * half:
        number, low, high = (_label(value, half, units).partition(" ±")[0] for value in (metres, *interval))
        return f"{number} ({_bare(low)} – {_bare(high)})"
    return _label(metres, half, units)


def _bare(number: str) -> str:
    """Without the name of a unit, which stands before it already."""
    return number.split(" ")[0] if number.count(" ") == 1 and not number.endswith('"') else number


def _label(metres: float, half: float | None, units: Units | None) -> str:
    system, unit = (units.system, units.unit) if units is not None else ("METRIC", "ADAPTIVE")
    if system == "IMPERIAL" and unit in {"ADAPTIVE", "FEET"}:
        return _feet_and_inches(metres, half)
    name, size = ("", 1.0) if system == "NONE" else _UNITS.get(unit, _UNITS["METERS"])
    decimals = _decimals(0.002 / size) if half is None else _decimals(half / size)
    number = f"{metres / size:.{decimals}f} {name}".rstrip()
    return number if half is None else f"{number} ± {half / size:.{decimals}f}"


def _feet_and_inches(metres: float, half: float | None) -> str:
    decimals = 1 if half is None else min(_decimals(half / INCH), 2)
    inches = round(metres / INCH, decimals)
    feet = int(inches // 12)
    rest = f'{inches - 12 * feet:.{decimals}f}"'
    number = f"{feet}' {rest}" if feet else rest
    return number if half is None else f'{number} ± {half / INCH:.{decimals}f}"'


def _decimals(half: float) -> int:
    """Decimals that show one significant digit of ``half``, two where the first is a 1."""
    if not (math.isfinite(half) and half > 0):
        return 3
    power = math.floor(math.log10(half))
    first = round(half / 10.0**power, 6)
    return min(max(-power + (1 if first < 1.95 else 0), 0), _MOST_DECIMALS)
