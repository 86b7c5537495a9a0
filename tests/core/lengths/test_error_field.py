"""The error field of an engine's depth: what known lengths say about others, and that it survives files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from image_to_3d.core import Intrinsics, Provenance
from image_to_3d.core.lengths.calibration import KnownLength, calibrate_scale, engine_scale
from image_to_3d.core.lengths.error_field import MAP_CELLS, DepthErrorModel, ErrorField, ErrorMap, KnownDistance
from image_to_3d.core.lengths.measuring import Length, with_scale

CAMERA = Intrinsics.centred(400.0, 640, 480)
MODEL = DepthErrorModel(scale_sd=0.05, gain=1.2, exponent=1.0, growth=0.1, length=0.4, depth_weight=0.5, floor_sd=0.01)


def place(u: float, v: float, z: float) -> np.ndarray:
    return np.array([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z])


def length(u: float, v: float, z: float, du: float = 0.0, dv: float = 100.0) -> np.ndarray:
    return np.stack([place(u, v, z), place(u + du, v + dv, z)])


@pytest.fixture
def error_field() -> ErrorField:
    own = ErrorMap(np.full((12, 16), 0.1))
    return ErrorField(MODEL, CAMERA, 3.0, own)


def test_bare_it_is_the_prior_and_a_known_length_tells_most_near_by(error_field: ErrorField) -> None:
    door = length(100, 200, 3.0)
    metres = float(np.linalg.norm(door[1] - door[0]))
    bare = error_field.error(door)[1]
    assert 0.1 < bare < 0.25
    known = error_field.with_known([KnownDistance(door, metres / 1.1)])
    factor = known.factor()
    assert factor == pytest.approx(1 / 1.1)
    spread = [known.error(length(100 + shift, 200, 3.0), factor)[1] for shift in (0, 40, 150, 400)]
    assert spread == sorted(spread) and spread[0] < 0.03 and spread[-1] < error_field.error(length(500, 200, 3.0))[1]
    assert abs(known.error(door, factor)[0]) < 0.02, "the known length itself is right"


def test_far_away_the_factor_is_known_to_be_too_much(error_field: ErrorField) -> None:
    door = length(60, 200, 3.0)
    metres = float(np.linalg.norm(door[1] - door[0]))
    known = error_field.with_known([KnownDistance(door, metres / 1.3)])  # the engine is 30 % too long at the door
    mean, _ = known.error(length(600, 200, 3.0), known.factor())
    assert mean < -0.05, "elsewhere it is probably less, so the factor makes lengths too short there"


def test_lengths_that_contradict_each_other_widen_the_others(error_field: ErrorField) -> None:
    a, b, far = length(150, 200, 3.0), length(180, 200, 3.0), length(550, 200, 3.0)
    true = [float(np.linalg.norm(e[1] - e[0])) for e in (a, b)]
    agree = error_field.with_known([KnownDistance(a, true[0]), KnownDistance(b, true[1])])
    differ = error_field.with_known([KnownDistance(a, true[0] * 1.4), KnownDistance(b, true[1] / 1.4)])
    assert differ.error(far)[1] > 1.3 * agree.error(far)[1]


def test_what_the_engine_is_unsure_of_is_less_sure() -> None:
    own = np.full((12, 16), 0.05)
    own[:, 8:] = 0.3
    unsure = ErrorField(MODEL, CAMERA, 3.0, ErrorMap(own))
    assert unsure.error(length(500, 200, 3.0))[1] > 2 * unsure.error(length(100, 200, 3.0))[1]


def test_intervals_hold_where_errors_are_drawn_from_the_field() -> None:
    """Two hundred rooms whose depth is wrong as the model says; lengths bare, after one and after three known ones."""
    rng = np.random.default_rng(3)
    error_field = ErrorField(MODEL, CAMERA, 3.0, ErrorMap(np.full((12, 16), 0.1)))
    held: dict[int, list[bool]] = {0: [], 1: [], 3: []}
    for _ in range(200):
        uv = rng.uniform((40, 40), (600, 440), (16, 2))
        z = rng.uniform(2, 5, 16)
        shown = np.stack([place(u, v, d) for (u, v), d in zip(uv, z, strict=True)])
        places, h = error_field._places(shown)
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
        covariance = MODEL.scale_sd**2 + np.outer(h, h) * np.exp(-apart / MODEL.length)
        wrong = np.linalg.cholesky(covariance + 1e-9 * np.eye(16)) @ rng.standard_normal(16)
        truth = shown / np.exp(wrong)[:, None]
        ends = shown.reshape(8, 2, 3)
        true_m = np.linalg.norm(np.diff(truth.reshape(8, 2, 3), axis=1)[:, 0], axis=1)
        for count in held:
            known = error_field.with_known([KnownDistance(ends[i], true_m[i]) for i in range(count)])
            factor = known.factor()
            for i in range(3, 8):
                metres = float(np.linalg.norm(ends[i, 1] - ends[i, 0])) * factor
                mean, sd = known.error(ends[i], factor)
                low, high = Length(metres, metres * sd, mean).interval
                held[count].append(bool(low <= true_m[i] <= high))
    for count, those in held.items():
        assert 0.91 < np.mean(those) < 0.99, (count, np.mean(those))


def test_a_map_is_stored_in_a_byte_a_cell() -> None:
    rng = np.random.default_rng(0)
    own = np.exp(rng.normal(-2, 0.5, (240, 320)))
    own[:40] = np.nan  # sky
    stored = ErrorMap.of(own)
    assert max(stored.values.shape) == MAP_CELLS and stored.values.shape == (36, 48)
    again = ErrorMap.from_plain(json.loads(json.dumps(stored.to_plain())))
    assert np.abs(np.log(again.values / stored.values)).max() < 0.02
    assert again.at(np.array([0.5]), np.array([0.5])).shape == (1,)


@pytest.mark.parametrize(
    "stored",
    [
        {},
        {"rows": 4, "cols": 4, "values": "AAAA"},
        {"rows": -1, "cols": 4, "values": ""},
        {"rows": 4, "cols": 10**9, "values": "AAAA"},
        {"rows": 4, "cols": 4, "values": "no base64!"},
        {"rows": None, "cols": 4, "values": ""},
    ],
)
def test_a_damaged_map_is_refused(stored: dict) -> None:
    with pytest.raises(ValueError, match="no map of errors"):
        ErrorMap.from_plain(stored)


def test_it_travels_with_a_cloud_and_nonsense_is_ignored(error_field: ErrorField) -> None:
    stored = json.loads(json.dumps(error_field.to_plain()))
    scale = engine_scale(Provenance("lite", focal_source="user", details={"depth_error": stored}), CAMERA, 0.35)
    assert scale.field is not None and scale.field.model == MODEL
    assert scale.relative_sd == pytest.approx(error_field.typical_sd(), rel=0.02)
    for nonsense in ({**stored, "gain": -1}, {**stored, "median_depth_m": 0}, {"gain": "x"}, 7, {**stored, "map": 3}):
        assert engine_scale(Provenance("lite", details={"depth_error": nonsense}), CAMERA, 0.35).field is None


def test_calibrating_conditions_it_and_other_lengths_follow(error_field: ErrorField) -> None:
    prior = engine_scale(
        Provenance("lite", focal_source="user", details={"depth_error": error_field.to_plain()}), CAMERA, 0.35
    )
    door = length(100, 200, 3.0)
    metres = float(np.linalg.norm(door[1] - door[0]))
    scale = calibrate_scale([KnownLength(2.0, metres, 0.01 * metres, ends=door)], prior)
    assert scale.state == "calibrated" and metres * scale.factor == pytest.approx(2.0)
    beside, across = length(120, 200, 3.0), length(560, 200, 3.0)
    widths = [np.log(np.divide(*with_scale(1.0, 0.0, ends, scale).interval[::-1])) for ends in (beside, across)]
    assert widths[1] > 3 * widths[0]
    assert scale.relative_sd > 0.05, "one door does not tell the whole room"


def test_an_interval_is_even_in_the_logarithm() -> None:
    low, high = Length(2.0, 1.0).interval
    assert low > 0 and low * high == pytest.approx(4.0)
    low, high = Length(2.0, 0.02).interval
    assert (low, high) == pytest.approx((1.961, 2.0396), abs=5e-4)
