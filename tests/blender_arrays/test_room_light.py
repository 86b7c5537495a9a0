"""A lamp for the light in a photo of a room."""

from __future__ import annotations

import numpy as np
import pytest

from image_to_3d.blender.room_light import room_light


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_it_hangs_below_the_ceiling_in_the_middle_and_is_as_bright_in_every_unit(unit: float) -> None:
    rng = np.random.default_rng(0)
    room = rng.uniform((-2, 1, 0), (2, 5, 2.5), (20_000, 3)) * unit
    found = room_light(room)
    np.testing.assert_allclose(np.array(found.place) / unit, (0, 3, 2.19), atol=0.05)
    assert found.size / unit == pytest.approx(2.0, abs=0.05)
    assert found.energy / unit**2 == pytest.approx(25 * (0.9 * 2.35 / 2) ** 2, rel=0.02)


def test_a_single_point_has_one_too() -> None:
    assert np.isfinite(room_light(np.ones((1, 3))).place).all()
