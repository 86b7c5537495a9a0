"""Pictures of resident scenes: on their own socket, from their own process, the newest one first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend_process import report, running_backend, scripted, wait_until
from image_to_3d import core
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.core.imaging.colour import linear_to_srgb, linear_to_srgb8
from image_to_3d.protocol import Client, ConnectionLost, FrameThread, published
from image_to_3d.protocol import messages as m
from image_to_3d.protocol.cameras import camera_message, camera_of
from image_to_3d.protocol.client import frames_endpoint
from image_to_3d.protocol.keys import load_or_create
from image_to_3d.protocol.schema import from_plain, to_plain
from image_to_3d.server.frame_encoding import encode_colour, encode_depth

EYE = [float(v) for v in np.eye(4).ravel()]


@pytest.fixture
def frames(client: Client) -> Iterator[Client]:
    with Client(frames_endpoint(client)) as connected:
        yield connected


def cloud(colour: float = 0.25, z: float = 2.0, count: int = 5) -> m.UploadScene:
    positions = np.zeros((count, 3), np.float32)
    positions[:, 2] = z
    return m.UploadScene(
        positions=positions,
        scales=np.full((count, 3), 0.01, np.float32),
        rotations=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        colours=np.full((count, 3), colour, np.float32),
        opacities=np.ones(count, np.float32),
    )


def upload(client: Client, scene: m.UploadScene | None = None) -> str:
    reply = client.call(scene or cloud(), timeout=20)
    assert isinstance(reply, m.Accepted)
    return reply.scene


def picture(scene: str, width: int = 32, height: int = 18, number: int = 1, **more: object) -> m.Render:
    camera = m.Camera(width, height, [20.0, 20.0, width / 2, height / 2], EYE)
    return m.Render(number, [m.Instance(scene, EYE)], camera, **more)  # type: ignore[arg-type]


def failure(client: Client, request: m.Message) -> ImageTo3DError:
    with pytest.raises(ImageTo3DError) as caught:
        client.call(request, timeout=30)
    assert not isinstance(caught.value, ConnectionLost)
    return caught.value


# --- scenes ----------------------------------------------------------------------------------------------------------


def test_a_result_can_be_drawn_at_once(client: Client, frames: Client) -> None:
    result = client.call(scripted("points 4"), timeout=30)
    assert isinstance(result, m.Result)
    frame = frames.call(picture(result.scene, number=77), timeout=60)
    assert isinstance(frame, m.Frame)
    assert (frame.frame, frame.size) == (77, [32, 18])
    assert frame.colour.shape == (18, 32, 4) and frame.depth.shape == (18, 32)
    assert (frame.colour[..., :3] == linear_to_srgb8(np.float32(0.5))).all() and (frame.colour[..., 3] == 255).all()
    np.testing.assert_allclose(frame.depth, 1.5, atol=1e-3)


def test_the_same_upload_twice_is_one_scene_and_another_cloud_is_another(client: Client) -> None:
    count = report(client)["scenes"]["count"]
    first, again, other = (upload(client, cloud(c)) for c in (0.31, 0.31, 0.32))
    assert first == again != other
    assert report(client)["scenes"]["count"] == count + 2


def test_ids_of_results_are_never_used_again(client: Client) -> None:
    results = [client.call(scripted("points 4"), timeout=30) for _ in range(3)]
    assert len({r.scene for r in results if isinstance(r, m.Result)}) == 3


def test_a_dropped_scene_is_unknown_and_can_be_brought_back(client: Client, frames: Client) -> None:
    scene = upload(client, cloud(0.4))
    assert isinstance(frames.call(picture(scene), timeout=60), m.Frame)
    client.call(m.DropScene(scene), timeout=5)
    client.call(m.DropScene(scene), timeout=5)
    assert failure(frames, picture(scene)).code is ErrorCode.SCENE_UNKNOWN
    assert upload(client, cloud(0.4)) == scene
    assert isinstance(frames.call(picture(scene), timeout=60), m.Frame)


def test_an_upload_whose_arrays_differ_in_length_is_refused(client: Client) -> None:
    from dataclasses import replace

    broken = replace(cloud(count=4), opacities=np.ones(3, np.float32))
    assert failure(client, broken).code is ErrorCode.BAD_REQUEST


def test_an_upload_with_values_that_are_no_numbers_is_refused_when_it_is_drawn(client: Client, frames: Client) -> None:
    scene = upload(client, cloud(z=float("nan")))
    assert failure(frames, picture(scene)).code is ErrorCode.BAD_REQUEST


def test_scenes_are_placed_by_their_matrix(client: Client, frames: Client) -> None:
    scene = upload(client, cloud(z=2.0))
    doubled = [float(v) for v in np.diag([2.0, 2.0, 2.0, 1.0]).ravel()]
    request = picture(scene)
    frame = frames.call(m.Render(1, [m.Instance(scene, doubled)], request.camera), timeout=60)
    assert isinstance(frame, m.Frame)
    np.testing.assert_allclose(frame.depth, 4.0, rtol=1e-3)


def test_clients_elsewhere_get_the_same_arrays_through_the_socket(client: Client) -> None:
    from dataclasses import replace

    with Client(replace(client.endpoint, shared="")) as far, Client(frames_endpoint(far)) as far_frames:
        near_result, far_result = (c.call(scripted("points 5000"), timeout=30) for c in (client, far))
        assert isinstance(near_result, m.Result) and isinstance(far_result, m.Result)
        for name in ("positions", "scales", "rotations", "colours", "opacities"):
            np.testing.assert_array_equal(getattr(near_result, name), getattr(far_result, name))
        assert isinstance(far_frames.call(picture(far_result.scene), timeout=60), m.Frame)


def test_arrays_stay_valid_after_their_scene_is_gone(client: Client) -> None:
    result = client.call(scripted("points 100000"), timeout=30)
    assert isinstance(result, m.Result)
    client.call(m.DropScene(result.scene), timeout=5)
    assert float(result.positions[:, 2].max()) == 2.0


# --- pictures --------------------------------------------------------------------------------------------------------


def test_a_final_picture_comes_as_it_was_drawn(client: Client, frames: Client) -> None:
    frame = frames.call(picture(upload(client), number=5, linear=True), timeout=60)
    assert isinstance(frame, m.LinearFrame) and (frame.frame, frame.size) == (5, [32, 18])
    assert frame.colour.dtype == frame.depth.dtype == np.float32
    assert frame.colour.shape == (18, 32, 4) and frame.depth.shape == (18, 32)
    assert np.isfinite(frame.depth).all() and (frame.colour[..., 3] == 1).all()


def test_a_camera_arrives_as_it_was_sent() -> None:
    world_to_camera = np.array([[0, 0, 1, 0.5], [0, 1, 0, 0.25], [-1, 0, 0, 2], [0, 0, 0, 1]], np.float64)
    pinhole = core.Camera(core.Intrinsics(500, 400, 300, 200, 640, 480), world_to_camera, near=0.5, far=9.0)
    parallel = core.Camera.orthographic_view(4.0, 640, 480, world_to_camera, (300, 200), 2.0, 0.1, 50.0)
    for camera in (pinhole, parallel):
        again = camera_of(from_plain(m.Camera, to_plain(camera_message(camera))))
        assert (again.orthographic, again.near, again.far) == (camera.orthographic, camera.near, camera.far)
        np.testing.assert_allclose(again.intrinsics.matrix(), camera.intrinsics.matrix(), rtol=1e-12)
        assert again.size == camera.size and np.array_equal(again.world_to_camera, camera.world_to_camera)


CAMERA = picture("").camera


@pytest.mark.parametrize(
    "camera",
    [
        m.Camera(0, 18, CAMERA.intrinsics, EYE),
        m.Camera(32, 100_000, CAMERA.intrinsics, EYE),
        m.Camera(32, 18, [20.0], EYE),
        m.Camera(32, 18, [0.0, 0.0, 16.0, 9.0], EYE),
        m.Camera(32, 18, CAMERA.intrinsics, EYE[:15]),
        m.Camera(32, 18, CAMERA.intrinsics, [0.0] * 16),
        m.Camera(32, 18, CAMERA.intrinsics, EYE, -1.0),
        m.Camera(32, 18, CAMERA.intrinsics, EYE, 1.0, -1.0),
        m.Camera(32, 18, CAMERA.intrinsics, EYE, near=2.0, far=1.0),
    ],
    ids=[
        "no width",
        "too high",
        "one intrinsic",
        "no focal length",
        "15 numbers",
        "no rotation",
        "negative width",
        "negative height",
        "far before near",
    ],
)
def test_impossible_cameras_are_refused(client: Client, frames: Client, camera: m.Camera) -> None:
    request = m.Render(1, [m.Instance(upload(client), EYE)], camera)
    assert failure(frames, request).code is ErrorCode.BAD_REQUEST


@pytest.mark.parametrize(
    ("eps2d", "code"),
    [(11, "bad_request"), (12, "internal"), (13, "out_of_memory"), (14, "engine_failed"), (15, "engine_failed")],
)
def test_a_renderer_that_fails_is_a_reply_and_the_next_picture_comes(
    client: Client, frames: Client, eps2d: float, code: str
) -> None:
    scene = upload(client)
    assert failure(frames, picture(scene, eps2d=eps2d)).code == code
    assert isinstance(frames.call(picture(scene), timeout=60), m.Frame)


def test_pictures_flow_while_a_photo_is_worked_on(client: Client, frames: Client) -> None:
    scene = upload(client)
    job = client.send(scripted("work 60"))
    wait_until(lambda: report(client)["running"] is not None)
    for number in range(20):
        frame = frames.call(picture(scene, number=number), timeout=10)
        assert isinstance(frame, m.Frame) and frame.frame == number
    assert report(client)["running"] is not None
    client.send(m.Cancel(job))


def test_of_waiting_previews_only_the_newest_is_drawn(client: Client, frames: Client) -> None:
    scene = upload(client)
    frames.call(picture(scene), timeout=60)
    first = frames.send(picture(scene, number=1, eps2d=300.0))
    later = [frames.send(picture(scene, number=n)) for n in range(2, 8)]
    replies = {}
    while len(replies) < 7:
        found = frames.receive(10)
        assert found is not None
        replies[found[0]] = found[1]
    assert isinstance(replies[first], m.Frame) and isinstance(replies[later[-1]], m.Frame)
    for skipped in later[:-1]:
        reply = replies[skipped]
        assert isinstance(reply, m.ErrorReply) and reply.code == "cancelled"


def test_final_pictures_are_all_drawn_and_bounded(client: Client, frames: Client) -> None:
    scene = upload(client)
    frames.call(picture(scene), timeout=60)
    requests = [frames.send(picture(scene, number=n, eps2d=100.0, latest_only=False)) for n in range(12)]
    replies = {}
    while len(replies) < len(requests):
        found = frames.receive(10)
        assert found is not None
        replies[found[0]] = found[1]
    kinds = [getattr(replies[r], "code", "frame") for r in requests]
    assert kinds[:9] == ["frame"] * 9 and "busy" in kinds and set(kinds) == {"frame", "busy"}


def test_colour_is_encoded_and_then_multiplied_by_alpha() -> None:
    rng = np.random.default_rng(0)
    alpha = rng.random((40, 50), np.float32)
    straight = rng.random((40, 50, 3), np.float32)
    alpha[0, 0] = 0
    encoded = encode_colour(straight * alpha[..., None], alpha)
    expected = linear_to_srgb(straight) * alpha[..., None] * 255
    assert np.abs(encoded[..., :3] - expected).max() <= 0.5 + 0.1
    assert np.abs(encoded[..., 3] - alpha * 255).max() <= 0.5 + 1e-4
    assert (encoded[0, 0] == 0).all()


def test_large_pictures_are_encoded_like_small_ones() -> None:
    rng = np.random.default_rng(1)
    colour, alpha = rng.random((800, 700, 3), np.float32), rng.random((800, 700), np.float32)
    whole = encode_colour(colour, alpha)
    np.testing.assert_array_equal(whole[:400], encode_colour(colour[:400], alpha[:400]))


def test_depth_is_infinite_where_nothing_is() -> None:
    depth = encode_depth(np.float32([[3.0, 0.0, 1e6]]), np.float32([[1.0, 0.0, 1.0]]))
    assert depth.dtype == np.float16
    np.testing.assert_array_equal(depth, np.float16([[3.0, np.inf, np.inf]]))


# --- the viewport's client -------------------------------------------------------------------------------------------


def found_backend():
    endpoint = published()
    if endpoint is None:
        raise ConnectionLost("backend.not_running")
    return endpoint


def collect(thread: FrameThread, seconds: float, until) -> list:
    events: list = []

    def done() -> bool:
        events.extend(thread.poll())
        return until(events)

    wait_until(done, seconds)
    return events


def test_the_newest_pose_wins_and_pictures_never_go_back(client: Client) -> None:
    scene = upload(client)
    thread = FrameThread(found_backend)
    try:
        last = 0
        for _ in range(50):
            last = thread.submit(picture(scene, eps2d=100.0 if last < 3 else 0.3))
            time.sleep(0.002)
        events = collect(thread, 30, lambda seen: any(e.frame and e.number == last for e in seen))
        numbers = [e.number for e in events if e.frame]
        assert numbers == sorted(numbers) and not any(e.error for e in events)
        assert len(numbers) < 50
    finally:
        thread.close()


def test_an_unknown_scene_is_an_event_and_the_next_picture_comes(client: Client) -> None:
    scene = upload(client)
    thread = FrameThread(found_backend)
    try:
        wrong = thread.submit(picture("0" * 32))
        events = collect(thread, 30, lambda seen: any(e.error for e in seen))
        assert [(e.number, e.error.code) for e in events if e.error] == [(wrong, ErrorCode.SCENE_UNKNOWN)]
        right = thread.submit(picture(scene))
        assert collect(thread, 30, lambda seen: any(e.frame for e in seen))[-1].number == right
    finally:
        thread.close()


def test_the_viewport_notices_a_lost_backend_and_finds_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGE_TO_3D_HOME", str(tmp_path / "home"))
    load_or_create("client")
    thread = FrameThread(found_backend)
    try:
        thread.submit(picture("0" * 32))
        events = collect(thread, 10, lambda seen: any(e.error for e in seen))
        assert isinstance(events[-1].error, ConnectionLost)
        with running_backend(tmp_path / "home") as first:
            with Client() as client:
                scene = upload(client)
            wait_until(lambda: thread.submit(picture(scene)) and any(e.frame for e in thread.poll()), 60)
            first.remember_family()
            first.process.kill()
            collect(thread, 5, lambda seen: any(isinstance(e.error, ConnectionLost) for e in seen))
            first.process.wait()
            with running_backend(tmp_path / "home"):
                with Client() as client:
                    assert upload(client) == scene
                wait_until(lambda: thread.submit(picture(scene)) and any(e.frame for e in thread.poll()), 60)
    finally:
        thread.close()


# --- slow connections --------------------------------------------------------------------------------------------------


def test_a_picture_can_be_made_small(client: Client, frames: Client) -> None:
    scene = upload(client)
    plain = frames.call(picture(scene), timeout=60)
    coded = frames.call(picture(scene, quality=85), timeout=60)
    assert isinstance(plain, m.Frame) and isinstance(coded, m.CodedFrame)
    found = coded.to_frame()
    np.testing.assert_array_equal(found.colour[..., 3], plain.colour[..., 3])
    assert np.abs(found.colour.astype(int) - plain.colour).mean() < 3
    np.testing.assert_allclose(found.depth.astype(float), plain.depth.astype(float), rtol=2**-8)
    assert failure(frames, picture(scene, quality=0)).code is ErrorCode.BAD_REQUEST


def test_a_backend_elsewhere_sends_small_pictures_and_one_here_does_not(client: Client) -> None:
    from dataclasses import replace

    scene = upload(client)
    for endpoint, coded in ((client.endpoint, False), (replace(client.endpoint, shared=""), True)):
        thread = FrameThread(lambda endpoint=endpoint: endpoint)
        try:
            asked = []
            thread.bandwidth.bytes_per_second = 1e5
            thread.bandwidth.measured = lambda size, seconds, asked=asked: asked.append(size)  # type: ignore[method-assign]
            thread.submit(picture(scene, 64, 48))
            (event,) = collect(thread, 30, lambda seen: bool(seen))
            assert event.frame is not None and event.frame.colour.shape == (48, 64, 4)
            assert (asked[0] < 64 * 48 * 6) == coded
        finally:
            thread.close()


def test_quality_follows_the_connection() -> None:
    from image_to_3d.protocol.bandwidth import Bandwidth

    connection = Bandwidth()
    for _ in range(30):
        connection.measured(1_000_000, 0.001)
    assert connection.quality(640, 360) is None
    qualities = []
    for rate in (60e6, 10e6, 1e6):
        for _ in range(30):
            connection.measured(1_000_000, 1_000_000 / rate)
        assert connection.bytes_per_second == pytest.approx(rate, rel=0.01)
        qualities.append(connection.quality(1920, 1080) or 100)
    assert qualities == sorted(qualities, reverse=True) and qualities[-1] == 30
