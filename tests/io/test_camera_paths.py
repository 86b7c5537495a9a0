"""Camera paths survive their file, and every mistake in one is one sentence."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

from image_to_3d.core import Camera, CameraPath, ImageTo3DError, Intrinsics
from image_to_3d.core.cameras.camera import cover
from image_to_3d.core.cameras.trajectories import look_at

PATH = CameraPath(
    24.0,
    (
        Camera(Intrinsics(500.5, 499.0, 310.0, 250.0, 640, 480), look_at([0.1, 0.2, 0.0], [0, 0, 3])),
        Camera.orthographic_view(4.2, 640, 480, look_at([0, -5, 2], [0, 0, 2.1])),
        Camera.orthographic_view(4.2, 640, 480, np.eye(4), centre=(300.0, 200.0)),
        Camera.orthographic_view(4.2, 640, 480, np.eye(4), height_m=2.0, near=0.5, far=20.0),
        Camera(Intrinsics(500.5, 499.0, 310.0, 250.0, 640, 480), np.eye(4), near=0.25, far=100.0),
    ),
)


def test_a_path_survives_its_file():
    again = CameraPath.from_json(json.loads(json.dumps(PATH.to_json())))
    assert again.fps == PATH.fps
    for a, b in zip(again.cameras, PATH.cameras, strict=True):
        assert (a.orthographic, a.near, a.far) == (b.orthographic, b.near, b.far)
        assert np.allclose(a.intrinsics.matrix(), b.intrinsics.matrix(), rtol=1e-12)
        assert np.array_equal(a.world_to_camera, b.world_to_camera) and a.size == b.size


def test_a_scene_looks_the_same_in_any_frame():
    rng = np.random.default_rng(1)
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = 0.4 * look_at([0, 0, 0], [0.5, 0.1, 1])[:3, :3], [1, -2, 0.5]
    points = rng.uniform([-1, -1, 3], [1, 1, 5], (20, 3))
    for camera in PATH.cameras:
        inside = camera.in_frame(frame)
        assert inside.near == pytest.approx(camera.near / 0.4)

        def seen(camera, points):
            p = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            k = camera.intrinsics
            w = np.ones(len(p)) if camera.orthographic else p[:, 2]
            return np.stack([k.fx * p[:, 0] / w + k.cx, k.fy * p[:, 1] / w + k.cy], -1)

        assert np.allclose(seen(inside, points), seen(camera, points @ frame[:3, :3].T + frame[:3, 3]))
    with pytest.raises(ValueError, match="flat"):
        PATH.cameras[0].in_frame(np.diag([1.0, 1, 0, 1]))


def test_documents_of_other_writers_are_read():
    frame = {"size": [64, 48], "orthographic_width_m": 2, "world_to_camera": np.eye(4).ravel().tolist()}
    (camera,) = CameraPath.from_json({"version": 1, "fps": 25, "frames": [frame]}).cameras
    assert camera.orthographic_width_m == 2 and camera.intrinsics.cx == 32


MISTAKES = {
    "no object": lambda d: [],
    "version": lambda d: {**d, "version": 2},
    "no fps": lambda d: {k: v for k, v in d.items() if k != "fps"},
    "fps zero": lambda d: {**d, "fps": 0},
    "fps text": lambda d: {**d, "fps": "24"},
    "fps true": lambda d: {**d, "fps": True},
    "no frames": lambda d: {**d, "frames": []},
    "frames object": lambda d: {**d, "frames": {}},
    "frame number": lambda d: {**d, "frames": [1]},
}
FRAME_MISTAKES = {
    "clip": [[1], [0, 1], [2, 1], "near", [float("nan"), 4]],
    "size": [[64], [64, 0], [64.5, 48], [1e9, 48], "64x48", None, [float("nan"), 4]],
    "intrinsics": [[1, 1, 1], [0, 1, 1, 1], [1, 1, 1, float("inf")], None, [1, 1, 1, "1"], [10**400, 1, 1, 1]],
    "world_to_camera": [[[1, 0], [0, 1]], np.zeros((4, 4)).tolist(), (2 * np.eye(4)).tolist(), "identity", None],
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_document_is_one_sentence(name):
    with pytest.raises(ImageTo3DError, match="camera path cannot be used") as caught:
        CameraPath.from_json(MISTAKES[name](PATH.to_json()))
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(("key", "value"), [(key, value) for key in FRAME_MISTAKES for value in FRAME_MISTAKES[key]])
def test_a_mistake_in_a_frame_names_the_frame(key, value):
    document = copy.deepcopy(PATH.to_json())
    document["frames"].insert(0, copy.deepcopy(document["frames"][0]))
    document["frames"][1][key] = value
    with pytest.raises(ImageTo3DError, match="frame 1"):
        CameraPath.from_json(document)


def test_another_size_keeps_the_middle_and_fills_the_picture():
    k = Intrinsics(500.0, 510.0, 300.0, 250.0, 640, 480)
    wide = cover(k, 1280, 720)
    assert (wide.fx, wide.fy) == (1000.0, 1020.0)
    assert (wide.cx, wide.cy) == (600.0, 720 / 2 + 20)
    assert wide.horizontal_fov_deg == pytest.approx(k.horizontal_fov_deg)
    tall = cover(k, 480, 960)
    assert tall.fx / k.fx == 2.0


def test_a_camera_is_a_rigid_motion():
    for matrix in (np.diag([1, 1, -1, 1]), np.diag([2, 2, 2, 1]), np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)):
        with pytest.raises(ValueError, match="world_to_camera"):
            Camera(Intrinsics.centred(10.0, 8, 8), matrix)
