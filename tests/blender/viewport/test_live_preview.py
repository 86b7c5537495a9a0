"""The live preview: streamed pictures over viewports, drawn without a window by the same functions that a window calls."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from bpy_process import wake_gpu  # noqa: E402 - needs bpy

WIDTH, HEIGHT = 240, 136


@pytest.fixture(scope="module")
def graphics(addon) -> None:
    pytest.importorskip("gpu")
    wake_gpu()


def area():
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


class Viewport:
    """A viewport that is drawn into a picture."""

    def __init__(self, addon, session, width=WIDTH, height=HEIGHT) -> None:
        self.live_module = addon.viewport.live
        self.live = addon.runtime.objects.of(addon.viewport.live.LivePreview)
        self.session = session
        self.width, self.height = width, height

    def context(self, view, projection):
        region = next(r for r in area().regions if r.type == "WINDOW")
        size = SimpleNamespace(width=self.width, height=self.height, as_pointer=region.as_pointer)
        matrices = SimpleNamespace(view_matrix=view, window_matrix=projection)
        return SimpleNamespace(
            region=size,
            region_data=matrices,
            scene=bpy.context.scene,
            view_layer=bpy.context.view_layer,
            space_data=area().spaces.active,
        )

    @property
    def stream(self):
        return next(iter(self.live.streams.values()))

    def settle(self, view, projection, seconds=120.0) -> None:
        """Draw and pump, as a window does, until there is nothing left to wait for."""
        context = self.context(view, projection)
        end = time.monotonic() + seconds
        while True:
            self.draw(context)
            self.session.pump()
            self.live.pump()
            stream = self.stream
            if stream.picture is not None and not stream.waits(time.monotonic()) and not self.session.busy:
                return
            assert time.monotonic() < end, self.live.sentence(stream)
            time.sleep(0.01)

    def draw(self, context):
        """One redraw of the overlay alone: linear colour (H, W, 4) and window depth (H, W), top row first."""
        import gpu

        off = gpu.types.GPUOffScreen(self.width, self.height, format="RGBA32F")
        with off.bind():
            framebuffer = gpu.state.active_framebuffer_get()
            framebuffer.clear(color=(0, 0, 0, 0), depth=1.0)
            self.live.draw_in(context)
            found = self.read(framebuffer)
        off.free()
        return found

    def read(self, framebuffer):
        n = self.width * self.height
        colour = framebuffer.read_color(0, 0, self.width, self.height, 4, 0, "FLOAT")
        colour.dimensions = n * 4
        depth = framebuffer.read_depth(0, 0, self.width, self.height)
        depth.dimensions = n
        flat, flat_depth = np.array(colour, np.float32), np.array(depth, np.float32)
        return flat.reshape(self.height, self.width, 4)[::-1], flat_depth.reshape(self.height, self.width)[::-1]

    def draw_scene(self, view, projection, overlay=True):
        """Blender's own objects in Solid view, and the overlay over them or not: linear colour (H, W, 4)."""
        import gpu

        context = self.context(view, projection)
        region = next(r for r in area().regions if r.type == "WINDOW")
        off = gpu.types.GPUOffScreen(self.width, self.height, format="RGBA32F")
        off.draw_view3d(
            context.scene, context.view_layer, context.space_data, region, view, projection, do_color_management=False
        )
        with off.bind():
            if overlay:
                self.live.draw_in(context)
            found = self.read(gpu.state.active_framebuffer_get())[0]
        off.free()
        return found


@pytest.fixture
def built(panel, graphics):
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    panel.recipe.surface_vertices = 4000  # software that stands for a graphics card draws it, too
    for name in ("Cube", "Light", "Camera"):
        bpy.data.objects.remove(bpy.data.objects[name])
    panel.press()
    panel.finish(300)  # drawing by software beside other work takes its time
    assert panel.session.failure is None, panel.session.failure
    return panel.package.scene.roles.find(bpy.data.objects[panel.session.last_root])


@pytest.fixture
def live(addon, built):
    preview = addon.runtime.objects.of(addon.viewport.live.LivePreview)
    bpy.context.window_manager.image_to_3d_live.on = True
    yield preview
    preview.turn_off()


@pytest.fixture
def viewport(addon, live, panel):
    return Viewport(addon, panel.session)


def matrices(camera, width=WIDTH, height=HEIGHT):
    """What a viewport has that looks through a camera object which fills it."""
    bpy.context.view_layer.update()
    projection = camera.calc_matrix_camera(bpy.context.evaluated_depsgraph_get(), x=width, y=height)
    return camera.matrix_world.normalized().inverted(), projection


def random_camera(rng, kind):
    """Near the photo's camera, looking into the room."""
    data = bpy.data.cameras.new("Test")
    obj = bpy.data.objects.new("Test", data)
    bpy.context.scene.collection.objects.link(obj)
    obj.location = rng.uniform([-0.3, -0.3, -0.2], [0.3, 0.3, 0.2])
    obj.rotation_euler = np.radians(90) + rng.uniform(-0.15, 0.15), rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)
    data.clip_start, data.clip_end = 0.1, 100.0
    if kind == "orthographic":
        data.type, data.ortho_scale = "ORTHO", rng.uniform(2, 5)
    else:
        data.lens = rng.uniform(18, 50)
    if kind != "perspective":
        data.shift_x, data.shift_y = rng.uniform(-0.3, 0.3, 2)
    return obj


def rendered(scene, root_matrix, camera):
    """The CPU renderer's linear colour (H, W, 4) and surface (H, W): the camera follows from the lens, not from matrices."""
    from image_to_3d.blender.camera import BlenderLens, intrinsics_from_lens
    from image_to_3d.core import Camera, Intrinsics
    from image_to_3d.core.cameras.axes import matrix_to_opencv, world_to_camera_opencv
    from image_to_3d.protocol import Client
    from image_to_3d.protocol import messages as m
    from image_to_3d.protocol.cameras import camera_message
    from image_to_3d.protocol.client import frames_endpoint

    data = camera.data
    if data.type == "ORTHO":
        scale = WIDTH / data.ortho_scale
        cx, cy = WIDTH / 2 - data.shift_x * WIDTH, HEIGHT / 2 + data.shift_y * WIDTH
        k = Intrinsics(scale, scale, cx, cy, WIDTH, HEIGHT)
    else:
        sensor = (data.lens, data.sensor_width, data.sensor_height, data.sensor_fit, data.shift_x, data.shift_y)
        k = intrinsics_from_lens(BlenderLens(*sensor, WIDTH, HEIGHT))
    near, far = data.clip_start, data.clip_end
    seen = Camera(k, world_to_camera_opencv(np.array(camera.matrix_world)), data.type == "ORTHO", near, far)
    placed = m.Instance(scene, [float(v) for v in matrix_to_opencv(np.array(root_matrix)).ravel()])
    request = m.Render(1, [placed], camera_message(seen), latest_only=False, linear=True)
    with Client() as control, Client(frames_endpoint(control)) as frames:
        exact = frames.call(request, timeout=60)
        preview = frames.call(replace(request, linear=False), timeout=60)
    assert isinstance(exact, m.LinearFrame) and isinstance(preview, m.Frame)
    return exact.colour, preview.depth


def offset(a, b) -> tuple[int, int]:
    """Shift in pixels, up to 3, by which two grey pictures fit best."""
    inner = a[3:-3, 3:-3]
    errors = {
        (dx, dy): np.abs(inner - b[3 + dy : b.shape[0] - 3 + dy, 3 + dx : b.shape[1] - 3 + dx]).mean()
        for dx in range(-3, 4)
        for dy in range(-3, 4)
    }
    return min(errors, key=errors.get)


def test_ten_random_cameras_show_what_the_renderer_draws(viewport, built, addon) -> None:
    from image_to_3d.core.imaging.colour import linear_to_srgb

    rng = np.random.default_rng(9)
    built.root.location, built.root.scale = (0.1, -0.2, 0.3), (1.1,) * 3
    kinds = ["perspective"] * 4 + ["shifted"] * 3 + ["orthographic"] * 3
    for kind in kinds:
        camera = random_camera(rng, kind)
        view, projection = matrices(camera)
        viewport.settle(view, projection)
        assert viewport.stream.picture.size == (WIDTH, HEIGHT)
        drawn, depth = viewport.draw(viewport.context(view, projection))
        scene = addon.runtime.objects.of(addon.scene.resident_scenes.ResidentScenes).current(
            built.points.data.session_uid
        )
        expected, metres = rendered(scene, built.root.matrix_world, camera)
        solid = expected[..., 3] > 0.99
        assert solid.mean() > 0.2, kind
        ours, theirs = linear_to_srgb(drawn[..., :3]), linear_to_srgb(expected[..., :3] / expected[..., 3:].clip(1e-6))
        assert np.abs(ours - theirs)[solid].mean() * 255 <= 2, kind
        ours, theirs = (np.where(solid, picture.mean(-1), 0) for picture in (ours, theirs))
        assert max(map(abs, offset(ours, theirs))) <= 1, kind
        # what the depth buffer holds is that depth, a little before the surface mesh, as Blender's own objects write it
        z = -metres[solid & np.isfinite(metres)].astype(np.float64) * (1 - addon.viewport.live.SURFACE_BIAS)
        p = np.array(projection)
        window = (p[2, 2] * z + p[2, 3]) / (p[3, 2] * z + p[3, 3]) * 0.5 + 0.5
        assert np.quantile(np.abs(depth[solid & np.isfinite(metres)] - window), 0.999) < 2e-3, kind


@pytest.fixture
def photo_view(built):
    """Matrices of the photo's own view."""
    built.camera.data.clip_start, built.camera.data.clip_end = 0.1, 100.0
    return matrices(built.camera)


def post_at(where):
    """A post of 0.3 × 0.3 × 1.2 m with its middle at a place."""
    bpy.ops.mesh.primitive_cube_add(size=1)
    post = bpy.context.object
    post.location, post.scale = where, (0.3, 0.3, 1.2)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    bpy.context.view_layer.update()
    return post


def test_a_post_half_in_the_floor_is_half_visible(viewport, built, photo_view) -> None:
    """Its upper half and its top are before the floor; below the floor nothing of it is seen, standing on it everything."""
    area().spaces.active.overlay.show_overlays = False
    bpy.context.view_layer.update()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    found, where, *_ = bpy.context.scene.ray_cast(
        depsgraph, (0, 0, 0), (-0.418, 1.0, -0.231)
    )  # bare floor near the door
    assert found
    built.surface.hide_set(True)
    bpy.context.view_layer.update()  # else the first picture still holds the surface
    viewport.settle(*photo_view)
    before = {overlay: viewport.draw_scene(*photo_view, overlay) for overlay in (True, False)}
    seen = {}
    for height in (-0.65, 0.0, 0.65):
        post = post_at(np.add(where, (0, 0, height)))
        viewport.settle(*photo_view)
        changed = {
            overlay: np.abs(viewport.draw_scene(*photo_view, overlay) - empty)[..., :3].max(-1) > 0.02
            for overlay, empty in before.items()
        }
        assert changed[False].sum() > 200
        seen[height] = changed[True].sum() / changed[False].sum()
        bpy.data.objects.remove(post)
    assert seen[-0.65] < 0.05 and 0.4 < seen[0.0] < 0.7 and seen[0.65] > 0.9, seen


def test_the_last_picture_is_bent_to_a_new_view(viewport, built, photo_view) -> None:
    """A decimetre to the side and two degrees: until the next picture comes, what is shown stands where it will stand then."""
    from mathutils import Matrix

    from image_to_3d.core.imaging.colour import linear_to_srgb

    built.surface.hide_set(True)
    viewport.settle(*photo_view)
    view, projection = photo_view
    moved = Matrix.Rotation(np.radians(2), 4, "Y") @ Matrix.Translation((-0.1, 0.02, 0.05)) @ view
    before, _ = viewport.draw(viewport.context(view, projection))
    old = viewport.stream.picture
    bent, bent_depth = viewport.draw(viewport.context(moved, projection))
    assert viewport.stream.picture is old
    viewport.settle(moved, projection)
    true, true_depth = viewport.draw(viewport.context(moved, projection))
    assert viewport.stream.picture is not old
    both = (bent[..., 3] > 0.99) & (true[..., 3] > 0.99)
    assert both.mean() > 0.7
    before, bent, true = (linear_to_srgb(picture[..., :3]) for picture in (before, bent, true))
    assert np.abs(bent - true)[both].mean() < 0.4 * np.abs(before - true)[both].mean()
    assert np.quantile(np.abs(bent_depth - true_depth)[both], 0.9) < 1e-3


def test_the_resolution_limit_is_kept_and_given_back(viewport, built, photo_view) -> None:
    settings = bpy.context.window_manager.image_to_3d_live
    settings.limit = 0.5
    viewport.settle(*photo_view)
    assert viewport.stream.picture.size == (WIDTH // 2, HEIGHT // 2)
    settings.limit = 1.0
    viewport.live.pump()
    viewport.settle(*photo_view)
    assert viewport.stream.picture.size == (WIDTH, HEIGHT)


def test_point_clouds_of_somebody_else_stay_visible(viewport, built, photo_view) -> None:
    others = bpy.data.objects.new("Scan", built.points.data.copy())
    bpy.context.scene.collection.objects.link(others)
    viewport.settle(*photo_view)
    viewport.live.pump()
    assert area().spaces.active.show_object_viewport_pointcloud
    bpy.data.objects.remove(others)
    viewport.live.pump()
    assert not area().spaces.active.show_object_viewport_pointcloud


def test_a_stretched_photo_is_a_sentence_and_its_points(viewport, built, photo_view) -> None:
    viewport.settle(*photo_view)
    built.root.scale = (1.0, 2.0, 1.0)
    bpy.context.view_layer.update()
    viewport.draw(viewport.context(*photo_view))
    viewport.live.pump()
    assert "stretched unevenly" in viewport.live.sentence(viewport.stream)
    assert viewport.stream.picture is None and area().spaces.active.show_object_viewport_pointcloud


@pytest.mark.parametrize("view_transform", ["Standard", "AgX", "Filmic"])
def test_colours_are_displayed_as_blender_displays_them(addon, view_transform) -> None:
    from image_to_3d.core.imaging.colour import srgb_to_linear

    colours = addon.viewport.view_transform
    bpy.context.scene.view_settings.view_transform = view_transform
    bpy.context.scene.view_settings.exposure = 0.5
    settings = colours.settings_of(bpy.context.scene)
    scenes, images = len(bpy.data.scenes), len(bpy.data.images)
    table = colours.table(settings)
    assert (len(bpy.data.scenes), len(bpy.data.images)) == (scenes, images)
    srgb = np.random.default_rng(0).uniform(0, 1, (8, 8, 4)).astype(np.float32)
    srgb[..., 3] = 1
    expected = colours.displayed(np.dstack([srgb_to_linear(srgb[..., :3]), srgb[..., 3]]), settings)
    # what the shader does, in numpy: between the eight colours around
    n = colours.GRID
    at = srgb[..., :3] * (n - 1)
    low = np.minimum(np.floor(at), n - 2).astype(int)
    f = at - low
    found = np.zeros_like(srgb)
    for corner in np.ndindex(2, 2, 2):
        r, g, b = np.moveaxis(low + corner, -1, 0)
        found += np.where(corner, f, 1 - f).prod(-1, keepdims=True) * table[g, r + b * n]
    assert np.abs(found - expected)[..., :3].max() * 255 < 2.5


def test_each_of_several_scenes_on_screen_has_its_colours_worked_out_once(addon, graphics) -> None:
    transform = addon.viewport.view_transform.ViewTransform()
    space = SimpleNamespace(shading=SimpleNamespace(type="RENDERED"))
    scenes = [bpy.context.scene, bpy.data.scenes.new("Other")]
    scenes[0].view_settings.view_transform, scenes[1].view_settings.view_transform = "AgX", "Filmic"
    for scene in scenes:
        assert transform.texture(scene, space) is None
        assert transform.pump()
    first = [transform.texture(scene, space) for scene in scenes]
    assert None not in first and not transform.waits and not transform.pump()
    for exposure in range(1, 20):  # somebody turns a knob
        scenes[0].view_settings.exposure = exposure
        transform.texture(scenes[0], space)
        transform.pump()
        assert transform.texture(scenes[1], space) == first[1]
    assert len(transform._tables) < 10 and set(transform._textures) <= set(transform._tables)


def test_white_balance_and_display_are_of_the_colours_too(addon) -> None:
    colours, scene = addon.viewport.view_transform, bpy.context.scene
    scene.view_settings.view_transform = "Standard"
    grey = np.full((1, 1, 4), 0.2, np.float32)
    tables = [colours.displayed(grey, colours.settings_of(scene))]
    assert colours.settings_of(scene) == colours._PLAIN
    scene.view_settings.use_white_balance = True
    scene.view_settings.white_balance_temperature = 4000
    tables.append(colours.displayed(grey, colours.settings_of(scene)))
    scene.view_settings.use_white_balance = False
    assert colours.settings_of(scene) == colours._PLAIN
    scene.display_settings.display_device = "Rec.2020"
    tables.append(colours.displayed(grey, colours.settings_of(scene)))
    assert colours.settings_of(scene) != colours._PLAIN
    plain, cool, wide = (table[0, 0, :3] for table in tables)
    assert np.ptp(plain) < 0.01 and cool[2] > cool[0] + 0.05 and abs(wide - plain).max() > 0.005


def test_solid_shading_leaves_colours_alone(addon, viewport, built, photo_view) -> None:
    bpy.context.scene.view_settings.view_transform = "AgX"
    space = area().spaces.active
    viewport.settle(*photo_view)
    plain = viewport.draw(viewport.context(*photo_view))[0]
    space.shading.type = "RENDERED"
    viewport.draw(viewport.context(*photo_view))  # takes note of the settings
    viewport.live.pump()
    agx = viewport.draw(viewport.context(*photo_view))[0]
    space.shading.type = "SOLID"
    np.testing.assert_array_equal(viewport.draw(viewport.context(*photo_view))[0], plain)
    from image_to_3d.core.imaging.colour import linear_to_srgb, srgb_to_linear

    colours = addon.viewport.view_transform
    solid = plain[..., 3] > 0.99
    expected = colours.displayed(plain, colours.settings_of(bpy.context.scene))
    difference = np.abs(linear_to_srgb(agx[..., :3]) - expected[..., :3])[solid]
    assert difference.mean() * 255 < 1 and srgb_to_linear(expected).max() > 0


def test_turning_it_off_leaves_nothing(viewport, built, photo_view, panel) -> None:
    space = area().spaces.active
    viewport.settle(*photo_view)
    viewport.live.pump()
    assert not space.show_object_viewport_pointcloud
    bpy.context.window_manager.image_to_3d_live.on = False
    assert space.show_object_viewport_pointcloud
    assert not viewport.live.streams and viewport.live.pump() is None


def test_points_come_back_in_viewports_that_are_off_screen(viewport, built, photo_view) -> None:
    """Another editor stands in place of one, and another was split from it."""
    shown, window = area(), bpy.context.window_manager.windows[0]
    space = shown.spaces.active
    viewport.settle(*photo_view)
    viewport.live.pump()
    assert not space.show_object_viewport_pointcloud
    with bpy.context.temp_override(window=window, area=shown, region=shown.regions[-1]):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    spaces = [a.spaces.active for a in window.screen.areas if a.type == "VIEW_3D"]
    assert len(spaces) == 2 and not any(s.show_object_viewport_pointcloud for s in spaces)
    shown.type = "IMAGE_EDITOR"
    viewport.live._next_look = 0.0
    viewport.live.pump()
    assert not viewport.live.streams
    bpy.context.window_manager.image_to_3d_live.on = False
    shown.type = "VIEW_3D"
    assert space == shown.spaces.active and all(s.show_object_viewport_pointcloud for s in spaces)


def test_nothing_is_asked_for_while_nothing_moves(addon, viewport, built, photo_view) -> None:
    viewport.settle(*photo_view)
    sent = viewport.stream._frames._number
    for _ in range(5):
        viewport.draw(viewport.context(*photo_view))
        assert viewport.live.pump() == viewport.live_module.QUIET_SECONDS
    assert viewport.stream._frames._number == sent
    built.root.location.z += 0.1  # levelling, calibration, animation: another pose, not another upload
    bpy.context.view_layer.update()
    resident = addon.runtime.objects.of(addon.scene.resident_scenes.ResidentScenes)
    uid = built.points.data.session_uid
    scene = resident.current(uid)
    viewport.settle(*photo_view)
    assert viewport.stream._frames._number > sent
    assert resident.current(uid) == scene is not None and not viewport.live.uploading


def test_points_deleted_while_pictures_stream(viewport, built, photo_view) -> None:
    viewport.settle(*photo_view)
    built.root.location.x = 0.1
    bpy.context.view_layer.update()
    viewport.draw(viewport.context(*photo_view))
    bpy.data.objects.remove(built.points)
    for _ in range(20):
        viewport.draw(viewport.context(*photo_view))
        viewport.live.pump()
        time.sleep(0.01)
    assert viewport.stream.picture is None and not viewport.live.sentence(viewport.stream)


def test_fifty_resizes_end_in_the_last_size(viewport, built, photo_view) -> None:
    import gc

    viewport.settle(*photo_view)
    for i in range(50):
        viewport.width, viewport.height = 100 + 2 * i, 60 + i
        viewport.draw(viewport.context(*photo_view))
        viewport.live.pump()
    viewport.settle(*photo_view)
    assert viewport.stream.picture.size == (viewport.width, viewport.height)
    gc.collect()
    pictures = [o for o in gc.get_objects() if type(o).__name__ == "Picture"]
    assert len(pictures) <= 2


def test_another_file_starts_anew(viewport, built, photo_view) -> None:
    viewport.settle(*photo_view)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert not viewport.live.streams and area().spaces.active.show_object_viewport_pointcloud
    viewport.draw(viewport.context(*photo_view))
    viewport.live.pump()
    assert viewport.stream.picture is None


def test_a_saved_file_does_not_hide_its_points(viewport, built, photo_view, tmp_path) -> None:
    viewport.settle(*photo_view)
    viewport.live.pump()
    assert not area().spaces.active.show_object_viewport_pointcloud
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "room.blend"), copy=True)
    viewport.live.pump()
    assert not area().spaces.active.show_object_viewport_pointcloud
    viewport.live.turn_off()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "room.blend"))
    assert area().spaces.active.show_object_viewport_pointcloud


def test_a_lost_backend_is_a_notice_and_the_points_and_it_comes_back(viewport, built, photo_view) -> None:
    import os
    import signal

    from image_to_3d.protocol import published

    viewport.settle(*photo_view)
    os.kill(published().pid, signal.SIGKILL)
    end = time.monotonic() + 30
    while not viewport.stream.lost:
        viewport.live.pump()
        assert time.monotonic() < end
        time.sleep(0.02)
    viewport.live.pump()
    assert "No backend" in viewport.live.sentence(viewport.stream)
    assert viewport.stream.picture is None and area().spaces.active.show_object_viewport_pointcloud
    viewport.settle(*photo_view)
    assert not viewport.live.sentence(viewport.stream)


def test_a_backend_that_left_because_nobody_needed_it_comes_back_when_the_view_moves(
    addon, viewport, built, photo_view, monkeypatch
) -> None:
    import os
    import signal

    from image_to_3d.protocol import published

    viewport.settle(*photo_view)
    monkeypatch.setattr(addon.viewport.stream, "REST_SECONDS", -1.0)
    os.kill(published().pid, signal.SIGTERM)
    end = time.monotonic() + 30
    while not viewport.stream.rests:
        viewport.live.pump()
        assert time.monotonic() < end
        time.sleep(0.02)
    for _ in range(50):
        viewport.draw(viewport.context(*photo_view))
        viewport.live.pump()
        viewport.session.pump()
        time.sleep(0.02)
    assert viewport.stream.picture is not None and not viewport.live.sentence(viewport.stream)
    assert published() is None and viewport.session.failure is None
    view, projection = photo_view
    view = view.copy()
    view.translation.x += 0.05
    viewport.settle(view, projection)
    assert not viewport.live.sentence(viewport.stream) and published() is not None
