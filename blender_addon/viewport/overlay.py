"""Draws a streamed picture with its depth over a viewport, so that it and Blender's objects hide each other.

The picture is drawn where its depth says. If the view has moved since the picture was taken, each pixel looks for the place in the
picture that shows the same point of the world, so furniture and splats stay together while the next picture is on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

_STRUCT = """
struct ImageTo3dView
{
  mat4 picture_from_view;
  mat4 view_from_picture;
  vec4 lens;
  vec4 picture_lens;
  vec4 clip;
  vec4 depth;
  vec4 colours;
};
"""

_VERTEX = """
void main()
{
  uv = position * 0.5 + 0.5;
  gl_Position = vec4(position, 0.0, 1.0);
}
"""

_FRAGMENT = """
float half_to_float(uint bits)
{
  uint exponent = (bits >> 10) & 31u;
  float mantissa = float(bits & 1023u) / 1024.0;
  if (exponent == 31u) { return 1e30; }  /* nothing is here */
  if (exponent == 0u) { return mantissa * exp2(-14.0); }
  return (1.0 + mantissa) * exp2(float(exponent) - 15.0);
}

ivec2 texel(vec2 at)
{
  ivec2 size = textureSize(picture, 0);
  return clamp(ivec2(floor(at * vec2(size))), ivec2(0), size - ivec2(1));
}

/* Depth in the picture's own view, Blender units. */
float depth_at(vec2 at)
{
  uint rest = uint(texelFetch(picture, texel(at), 0).y);
  return (half_to_float(rest & 65535u) - view.depth.x) * view.depth.y;
}

vec4 premultiplied(ivec2 at)
{
  ivec2 size = textureSize(picture, 0);
  vec2 numbers = texelFetch(picture, clamp(at, ivec2(0), size - ivec2(1)), 0).xy;
  uint rgb = uint(numbers.x);
  uint rest = uint(numbers.y);
  return vec4(float(rgb & 255u), float((rgb >> 8) & 255u), float((rgb >> 16) & 255u), float((rest >> 16) & 255u)) / 255.0;
}

vec4 colour_at(vec2 at)
{
  vec2 where = at * vec2(textureSize(picture, 0)) - 0.5;
  ivec2 first = ivec2(floor(where));
  vec2 f = where - vec2(first);
  if (abs(f.x - 0.5) > 0.499 && abs(f.y - 0.5) > 0.499) { return premultiplied(ivec2(floor(where + 0.5))); }
  return mix(
      mix(premultiplied(first), premultiplied(first + ivec2(1, 0)), f.x),
      mix(premultiplied(first + ivec2(0, 1)), premultiplied(first + ivec2(1, 1)), f.x),
      f.y);
}

/* Point of a view's own space, looking along -z, at depth z on the ray through a place in it. */
vec3 on_ray(vec2 at, float z, vec4 lens, bool parallel)
{
  vec2 ray = (at * 2.0 - 1.0 + lens.zw) * lens.xy;
  return vec3(parallel ? ray : ray * z, -z);
}

vec2 place_of(vec3 point, vec4 lens, bool parallel)
{
  vec2 ray = parallel ? point.xy : point.xy / -point.z;
  return (ray / lens.xy - lens.zw) * 0.5 + 0.5;
}

vec3 linear(vec3 srgb)
{
  vec3 low = srgb / 12.92;
  vec3 high = pow(max((srgb + 0.055) / 1.055, vec3(0.0)), vec3(2.4));
  return mix(high, low, vec3(lessThanEqual(srgb, vec3(0.04045))));
}

/* The scene's view transform, sampled at the corners of a grid of srgb colours whose blue planes lie side by side. */
vec3 displayed(vec3 srgb)
{
  float n = view.colours.y;
  vec3 at = clamp(srgb, 0.0, 1.0) * (n - 1.0);
  vec3 low = min(floor(at), n - 2.0);
  vec3 f = at - low;
  vec3 sum = vec3(0.0);
  for (int corner = 0; corner < 8; corner++) {
    ivec3 o = ivec3(corner & 1, (corner >> 1) & 1, corner >> 2);
    ivec3 p = ivec3(low) + o;
    vec3 w = mix(1.0 - f, f, vec3(o));
    sum += w.x * w.y * w.z * texelFetch(transform, ivec2(p.x + p.z * int(n), p.y), 0).rgb;
  }
  return sum;
}

void main()
{
  bool parallel = view.clip.w != 0.0;
  bool picture_parallel = view.depth.z != 0.0;
  vec2 at = uv;
  float z = depth_at(at);
  if (view.depth.w != 0.0) {
    for (int i = 0; i < 6; i++) {
      vec3 seen = (view.picture_from_view * vec4(on_ray(uv, min(z, 1e4), view.lens, parallel), 1.0)).xyz;
      at = place_of(seen, view.picture_lens, picture_parallel);
      if (at != clamp(at, 0.0, 1.0) || seen.z >= 0.0) { break; }
      vec3 there = on_ray(at, depth_at(at), view.picture_lens, picture_parallel);
      z = -(view.view_from_picture * vec4(there, 1.0)).z;
    }
    if (at != clamp(at, 0.0, 1.0)) { discard; }
  }
  vec4 colour = colour_at(at);
  if (colour.a < 0.5 / 255.0 || z > 1e20) { discard; }
  z *= view.colours.z;
  float depth = (view.clip.x * -z + view.clip.y) / (view.clip.z * -z + view.clip.w);
  if (depth < -1.0 || depth > 1.0) { discard; }
  gl_FragDepth = depth * 0.5 + 0.5;
  vec3 straight = min(colour.rgb / colour.a, 1.0);
  if (view.colours.x != 0.0) { straight = displayed(straight); }
  fragment = vec4(linear(straight) * colour.a, colour.a);  /* the viewport's overlay is linear light */
}
"""

_NO_TRANSFORM = np.zeros((1, 1, 4), np.float32)


@dataclass(frozen=True, eq=False)
class Lens:
    """What a pair of Blender's matrices sees.

    Attributes:
        projection: (4, 4), ``window_matrix``.
        view: (4, 4), ``view_matrix``.
    """

    projection: NDArray[np.float64]
    view: NDArray[np.float64]

    @property
    def parallel(self) -> bool:
        """Whether the view is orthographic."""
        return bool(self.projection[3, 3] != 0)

    @property
    def rays(self) -> list[float]:
        """Two factors and two shifts that turn device coordinates into a ray."""
        p = self.projection
        shifts = (-p[0, 3], -p[1, 3]) if self.parallel else (p[0, 2], p[1, 2])
        return [1 / p[0, 0], 1 / p[1, 1], *shifts]

    @property
    def clip(self) -> list[float]:
        """Third and fourth row of the projection, which turn depth into what the depth buffer holds."""
        p = self.projection
        return [p[2, 2], p[2, 3], p[3, 2], p[3, 3]]


class Picture:
    """A streamed picture on the graphics card.

    Args:
        packed: (H, W, 2), see :func:`~image_to_3d.blender.preview.pack_frame`.
        lens: of the view that it was taken of.
        back: metres that its camera stood behind that view.
        metres_per_unit: of the scene.
    """

    def __init__(self, packed: NDArray[np.float32], lens: Lens, back: float, metres_per_unit: float) -> None:
        self.lens = lens
        self.back, self.metres_per_unit = back, metres_per_unit
        self.size = packed.shape[1], packed.shape[0]
        self._packed: NDArray[np.float32] | None = packed
        self._texture: gpu.types.GPUTexture | None = None

    @property
    def texture(self) -> gpu.types.GPUTexture:
        """Uploaded when it is first drawn, because only then a window's graphics context is there for sure."""
        if self._texture is None:
            assert self._packed is not None
            self._texture, self._packed = _texture(self._packed, "RG32F"), None
        return self._texture


def _texture(values: NDArray[np.float32], kind: str) -> gpu.types.GPUTexture:
    flat = np.ascontiguousarray(values).reshape(-1)
    return gpu.types.GPUTexture(
        (values.shape[1], values.shape[0]), format=kind, data=gpu.types.Buffer("FLOAT", len(flat), flat)
    )


class Painter:
    """Shader and buffers; made at the first draw, because there is no GPU before a window has one."""

    def __init__(self) -> None:
        self._shader: gpu.types.GPUShader | None = None
        self._batch: gpu.types.GPUBatch | None = None
        self._uniforms: gpu.types.GPUUniformBuf | None = None
        self._no_transform: gpu.types.GPUTexture | None = None

    def draw(
        self, picture: Picture, lens: Lens, transform: gpu.types.GPUTexture | None = None, bias: float = 0.0
    ) -> None:
        """Draw a picture over the viewport whose depth buffer is bound.

        Args:
            picture: to draw.
            lens: of the viewport now.
            transform: colours after the scene's view transform (:mod:`.view_transform`); None leaves them as they are.
            bias: share of its depth by which the picture is drawn in front of where it is.
        """
        if self._shader is None:
            self._shader = _make_shader()
            corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
            self._batch = batch_for_shader(self._shader, "TRI_STRIP", {"position": corners})
            self._no_transform = _texture(_NO_TRANSFORM, "RGBA32F")
        then, moved = picture.lens, np.eye(4)
        same = np.array_equal(then.view, lens.view) and np.array_equal(then.projection, lens.projection)
        if not same:
            moved = then.view @ np.linalg.inv(lens.view)
        values = np.concatenate(
            [
                moved.T.ravel(),
                np.linalg.inv(moved).T.ravel(),
                lens.rays,
                then.rays,
                lens.clip,
                [picture.back, 1 / picture.metres_per_unit, float(then.parallel), float(not same)],
                [0.0 if transform is None else 1.0, 0.0 if transform is None else transform.height, 1.0 - bias, 0.0],
            ]
        ).astype(np.float32)
        buffer = gpu.types.Buffer("FLOAT", len(values), values)
        if self._uniforms is None:
            self._uniforms = gpu.types.GPUUniformBuf(buffer)
        else:
            self._uniforms.update(buffer)
        gpu.state.depth_test_set("LESS_EQUAL")
        gpu.state.depth_mask_set(True)
        gpu.state.blend_set("ALPHA_PREMULT")
        try:
            self._shader.bind()
            self._shader.uniform_block("view", self._uniforms)
            self._shader.uniform_sampler("picture", picture.texture)
            self._shader.uniform_sampler("transform", self._no_transform if transform is None else transform)
            self._batch.draw(self._shader)
        finally:
            gpu.state.blend_set("NONE")
            gpu.state.depth_mask_set(False)
            gpu.state.depth_test_set("NONE")


def _make_shader() -> gpu.types.GPUShader:
    between = gpu.types.GPUStageInterfaceInfo("image_to_3d_picture")
    between.smooth("VEC2", "uv")
    info = gpu.types.GPUShaderCreateInfo()
    info.typedef_source(_STRUCT)
    info.uniform_buf(0, "ImageTo3dView", "view")
    info.sampler(0, "FLOAT_2D", "picture")
    info.sampler(1, "FLOAT_2D", "transform")
    info.vertex_in(0, "VEC2", "position")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "fragment")
    writes_depth: Any = getattr(info, "depth_write", None)
    if writes_depth is not None:  # Blender ≥ 4.5; OpenGL lets shaders write it without being told
        writes_depth("ANY")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def lens_of(region_data: bpy.types.RegionView3D) -> Lens:
    """Of a viewport as it is drawn now."""
    return Lens(np.array(region_data.window_matrix, np.float64), np.array(region_data.view_matrix, np.float64))
