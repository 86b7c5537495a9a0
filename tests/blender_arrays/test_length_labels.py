"""Lengths as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_to_3d.blender.length_labels import FOOT, INCH, Units, length_label


@pytest.mark.parametrize(
    ("metres", "half", "system", "unit", "text"),
    [
        (2.6, 0.0412, "METRIC", "ADAPTIVE", "2.60 m ± 0.04"),
        (2.6049, 0.153, "METRIC", "METERS", "2.60 m ± 0.15"),
        (2.6049, 0.1999, "METRIC", "METERS", "2.6 m ± 0.2"),
        (2.6049, 1.4, "METRIC", "METERS", "2.6 m ± 1.4"),
        (26.049, 12.0, "METRIC", "METERS", "26 m ± 12"),
        (0.7321, 0.0047, "METRIC", "METERS", "0.732 m ± 0.005"),
        (2.6049, 0.153, "METRIC", "CENTIMETERS", "260 cm ± 15"),
        (2.6049, 0.0041, "METRIC", "MILLIMETERS", "2605 mm ± 4"),
        (2.6, None, "METRIC", "ADAPTIVE", "2.600 m"),
        (2.6, 0.04, "NONE", "ADAPTIVE", "2.60 ± 0.04"),
        (8 * FOOT + 6.4 * INCH, 1.6 * INCH, "IMPERIAL", "ADAPTIVE", '8\' 6.4" ± 1.6"'),
        (8 * FOOT + 6.4 * INCH, 3 * INCH, "IMPERIAL", "FEET", '8\' 6" ± 3"'),
        (8 * FOOT - 0.01 * INCH, 3 * INCH, "IMPERIAL", "FEET", '8\' 0" ± 3"'),
        (6.25 * INCH, 0.03 * INCH, "IMPERIAL", "ADAPTIVE", '6.25" ± 0.03"'),
        (6.25 * INCH, 0.3 * INCH, "IMPERIAL", "INCHES", "6.2 in ± 0.3"),
        (2.0, 0.0, "METRIC", "ADAPTIVE", "2.000 m ± 0.000"),
    ],
)
def test_examples(metres: float, half: float | None, system: str, unit: str, text: str) -> None:
    interval = None if half is None else (metres - half, metres + half)
    assert length_label(metres, interval, Units(system, unit)) == text


@given(st.floats(0.01, 100), st.floats(1e-4, 10))
def test_what_is_shown_is_what_is_known(metres: float, half: float) -> None:
    shown, interval = length_label(metres, (metres - half, metres + half)).replace(" m", "").split(" ± ")
    assert abs(float(shown) - metres) <= 0.51 * half and float(interval) == pytest.approx(half, rel=0.26, abs=5e-5)
    assert len(interval.replace(".", "").strip("0")) <= 3


@pytest.mark.parametrize(
    ("metres", "interval", "units", "text"),
    [
        (2.6, (1.9, 3.6), None, "2.6 m (1.9 – 3.6)"),
        (2.0, (2.1, 2.5), None, "2.0 m (2.1 – 2.5)"),
        (2.6, (1.9, 3.6), Units("METRIC", "CENTIMETERS"), "260 cm (190 – 360)"),
        (2.6, (2.5, 2.715), None, "2.60 m ± 0.11"),
        (6 * INCH, (4 * INCH, 9 * INCH), Units("IMPERIAL", "ADAPTIVE"), '6" (4" – 9")'),
    ],
)
def test_an_uneven_interval_shows_both_ends(metres: float, interval: tuple, units: Units | None, text: str) -> None:
    assert length_label(metres, interval, units) == text
