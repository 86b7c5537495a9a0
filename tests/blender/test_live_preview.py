"""The live preview: streamed pictures over viewports, drawn without a window by the same functions that a window calls."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

WIDTH, HEIGHT = 320, 180


def wake_gpu() -> None:
    """A graphics context without a window: asked for from 5.2 on, before it comes with the first render that wants one."""
    import gpu

    if hasattr(gpu, "init"):
        gpu.init()
        return

    class Wake(bpy.types.RenderEngine):
        bl_idname = "IMAGE_TO_3D_WAKE"
        bl_label = "Wake"
        bl_use_gpu_context = True

        def render(self, depsgraph) -> None:
            pass

    bpy.utils.register_class(Wake)
    render = bpy.context.scene.render
    kept = render.engine, render.resolution_x, render.resolution_y
    render.engine, render.resolution_x, render.resolution_y = Wake.bl_idname, 8, 8
    bpy.ops.render.render()
    render.engine, render.resolution_x, render.resolution_y = kept
    bpy.utils.unregister_class(Wake)


@pytest.fixture(scope="module")
def graphics(addon) -> None:
    pytest.importorskip("gpu")
    wake_gpu()


def area():
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


class Viewport:
    """A viewport that is drawn into a picture."""

    def __init__(self, addon, session, width=WIDTH, height=HEIGHT) -> None:
        self.live = addon.viewport.live.current()
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

    def settle(self, view, projection, seconds=60.0) -> None:
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

    def draw_scene(self, view, projection):
        """Blender's own objects in Solid view, and the overlay over them: linear colour (H, W, 4)."""
        import gpu

        context = self.context(view, projection)
        region = next(r for r in area().regions if r.type == "WINDOW")
        off = gpu.types.GPUOffScreen(self.width, self.height, format="RGBA32F")
        off.draw_view3d(
            context.scene, context.view_layer, context.space_data, region, view, projection, do_color_management=False
        )
        with off.bind():
            self.live.draw_in(context)
            found = self.read(gpu.state.active_framebuffer_get())[0]
        off.free()
        return found


@pytest.fixture
def built(panel, graphics):
    panel.choose_sample()
    panel.recipe.density = "QUARTER"
    for name in ("Cube", "Light", "Camera"):
        bpy.data.objects.remove(bpy.data.objects[name])
    return panel.generate()


@pytest.fixture
def live(addon, built):
    preview = addon.viewport.live.current()
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
    """The CPU renderer's picture, linear colour (H, W, 4): the camera follows from the lens, not from Blender's matrices."""
    from image_to_3d.core import Camera, Intrinsics
    from image_to_3d.core.axes import matrix_to_opencv, world_to_camera_opencv
    from image_to_3d.core.blender_camera import BlenderLens, intrinsics_from_lens
    from image_to_3d.protocol import Client
    from image_to_3d.protocol import messages as m
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
    request = m.Render(1, [placed], m.camera_message(seen), latest_only=False, linear=True)
    with Client() as control, Client(frames_endpoint(control)) as frames:
        reply = frames.call(request, timeout=60)
    assert isinstance(reply, m.LinearFrame)
    return reply.colour, reply.depth


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
    from image_to_3d.core.colour import linear_to_srgb

    rng = np.random.default_rng(9)
    built.root.location, built.root.scale = (0.1, -0.2, 0.3), (1.1,) * 3
    kinds = ["perspective"] * 4 + ["shifted"] * 3 + ["orthographic"] * 3
    for kind in kinds:
        camera = random_camera(rng, kind)
        view, projection = matrices(camera)
        viewport.settle(view, projection)
        assert viewport.stream.picture.size == (WIDTH, HEIGHT)
        drawn, depth = viewport.draw(viewport.context(view, projection))
        scene = addon.splat_scenes.residency().scene(built.points.data.session_uid)
        expected, metres = rendered(scene, built.root.matrix_world, camera)
        solid = expected[..., 3] > 0.99
        assert solid.mean() > 0.2, kind
        ours, theirs = linear_to_srgb(drawn[..., :3]), linear_to_srgb(expected[..., :3] / expected[..., 3:].clip(1e-6))
        assert np.abs(ours - theirs)[solid].mean() * 255 <= 2, kind
        ours, theirs = (np.where(solid, picture.mean(-1), 0) for picture in (ours, theirs))
        assert max(map(abs, offset(ours, theirs))) <= 1, kind
        # what the depth buffer holds is that depth, as Blender's own objects write it
        z = -metres[solid & np.isfinite(metres)].astype(np.float64)
        p = np.array(projection)
        window = (p[2, 2] * z + p[2, 3]) / (p[3, 2] * z + p[3, 3]) * 0.5 + 0.5
        assert np.abs(depth[solid & np.isfinite(metres)] - window).max() < 2e-3, kind
