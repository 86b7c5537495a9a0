// Shows a .splat file (32 bytes for each Gaussian) with WebGL 2. No library, no other file.
//
// Frames are OpenCV's: x right, y down, z forward. Gaussians are projected as in "EWA volume splatting" (Zwicker et al., 2001),
// drawn back to front and blended. The file itself is the texture: two RGBA32UI texels for each Gaussian,
//   x, y, z, scale x  |  scale y, scale z, r g b opacity, quaternion (w x y z, 8 bits each).
"use strict";

const ROW_BYTES = 32;
const TEXTURE_WIDTH = 2048; // texels, 1024 Gaussians
const SWING_ANGLE = 0.12; // radians to either side
const SWING_SECONDS = 6;
const NEAREST = 0.02; // metres before the camera; what is nearer is not drawn

const VERTEX = `#version 300 es
precision highp float;
precision highp usampler2D;
uniform usampler2D rows;
uniform mat3 turn;      // world -> camera
uniform vec3 eye;       // camera in the world
uniform vec2 focal;     // pixels
uniform vec2 viewport;  // pixels
in vec2 corner;
in uint index;
out vec4 colour;
out vec2 at;

void main() {
  ivec2 texel = ivec2(int(index & ${TEXTURE_WIDTH / 2 - 1}u) * 2, int(index / ${TEXTURE_WIDTH / 2}u));
  uvec4 a = texelFetch(rows, texel, 0), b = texelFetch(rows, texel + ivec2(1, 0), 0);
  vec3 p = turn * (uintBitsToFloat(a.xyz) - eye);
  gl_Position = vec4(0.0, 0.0, 2.0, 1.0);
  if (p.z < ${NEAREST}) return;
  vec2 middle = focal * p.xy / p.z;
  if (any(greaterThan(abs(middle), viewport * 0.75))) return;
  vec4 q = (vec4(uvec4(b.w, b.w >> 8, b.w >> 16, b.w >> 24) & 255u) - 128.0) / 128.0;
  q /= max(length(q), 1e-6);
  float w = q.x, x = q.y, y = q.z, z = q.w;
  mat3 axes = mat3(
    1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y),
    2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x),
    2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y));
  mat3 m = turn * axes;
  vec3 s = uintBitsToFloat(uvec3(a.w, b.x, b.y));
  m[0] *= s.x; m[1] *= s.y; m[2] *= s.z;
  vec2 t = clamp(p.xy / p.z, -1.3 * viewport / (2.0 * focal), 1.3 * viewport / (2.0 * focal)) / p.z;
  vec3 jx = vec3(focal.x / p.z, 0.0, -focal.x * t.x), jy = vec3(0.0, focal.y / p.z, -focal.y * t.y);
  vec3 u = jx * m, v = jy * m;  // rows of J M
  float xx = dot(u, u) + 0.3, yy = dot(v, v) + 0.3, xy = dot(u, v);
  float mean = 0.5 * (xx + yy), spread = length(vec2(0.5 * (xx - yy), xy));
  float long_ = mean + spread, short_ = max(mean - spread, 0.05);
  vec2 axis = spread < 1e-6 ? vec2(1.0, 0.0) : normalize(abs(xy) > 1e-9 ? vec2(xy, long_ - xx) : (xx > yy ? vec2(1.0, 0.0) : vec2(0.0, 1.0)));
  vec2 major = min(sqrt(long_), 512.0) * axis, minor = min(sqrt(short_), 512.0) * vec2(axis.y, -axis.x);
  at = corner * 3.0;
  vec2 pixel = middle + at.x * major + at.y * minor;
  colour = vec4(uvec4(b.z, b.z >> 8, b.z >> 16, b.z >> 24) & 255u) / 255.0;
  gl_Position = vec4(2.0 * pixel.x / viewport.x, -2.0 * pixel.y / viewport.y, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
in vec2 at;
out vec4 result;
void main() {
  float d = dot(at, at);
  if (d > 9.0) discard;
  float alpha = min(colour.a * exp(-0.5 * d), 0.999);
  result = vec4(colour.rgb * alpha, alpha);
}`;

const canvas = document.getElementById("view");
const said = document.getElementById("said");
const say = (text) => { said.textContent = text; };

class Camera {
  // Turns around a point before the photo's camera.
  constructor(photo) {
    this.photo = photo;
    this.reset();
  }
  reset() {
    this.target = [0, 0, this.photo.distance];
    this.away = this.photo.distance;
    this.yaw = 0;
    this.pitch = 0;
  }
  matrix() { // rows: right, down, forward in the world
    const cy = Math.cos(this.yaw), sy = Math.sin(this.yaw), cp = Math.cos(this.pitch), sp = Math.sin(this.pitch);
    return [[cy, 0, -sy], [sy * sp, cp, cy * sp], [sy * cp, -sp, cy * cp]];
  }
  eye() {
    const forward = this.matrix()[2];
    return this.target.map((value, i) => value - forward[i] * this.away);
  }
  turn(dx, dy) { // radians
    this.yaw -= dx;
    this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + dy));
  }
  approach(factor) {
    this.away = Math.max(0.05, Math.min(20 * this.photo.far + 1, this.away * factor));
  }
  move(dx, dy) { // metres at the target
    const [right, down] = this.matrix();
    this.target = this.target.map((value, i) => value - right[i] * dx - down[i] * dy);
  }
}

class View {
  constructor(gl, data, photo) {
    this.gl = gl;
    this.camera = new Camera(photo);
    this.photo = photo;
    this.count = Math.floor(data.byteLength / ROW_BYTES);
    this.positions = new Float32Array(this.count * 3);
    const floats = new Float32Array(data);
    for (let i = 0; i < this.count; i++) for (let k = 0; k < 3; k++) this.positions[3 * i + k] = floats[8 * i + k];
    this.order = new Uint32Array(this.count);
    this.depths = new Int32Array(this.count);
    this.counts = new Uint32Array(65536);
    this.sorted = null;
    this._program(data);
    this.dirty = true;
    this.swing = 0; // time at which it began, 0 = still
    this.frames = 0;
    new ResizeObserver(() => this.draw_soon()).observe(canvas);
    const loop = (now) => { this._frame(now); requestAnimationFrame(loop); };
    requestAnimationFrame(loop);
  }

  draw_soon() { this.dirty = true; }

  _program(data) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    gl.useProgram(program);
    this.at = (name) => gl.getUniformLocation(program, name);

    const height = Math.max(1, Math.ceil(2 * this.count / TEXTURE_WIDTH));
    const texels = new Uint32Array(TEXTURE_WIDTH * height * 4);
    texels.set(new Uint32Array(data, 0, this.count * 8));
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, TEXTURE_WIDTH, height, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, texels);

    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    this.indices = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
    const index = gl.getAttribLocation(program, "index");
    gl.enableVertexAttribArray(index);
    gl.vertexAttribIPointer(index, 1, gl.UNSIGNED_INT, 0, 0);
    gl.vertexAttribDivisor(index, 1);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0.106, 0.114, 0.129, 1);
  }

  _sort(forward, eye) { // back to front, by counting 16-bit depths
    const { count, positions: p, depths, counts, order } = this;
    let low = Infinity, high = -Infinity;
    const z = this.z || (this.z = new Float32Array(count));
    for (let i = 0, j = 0; i < count; i++, j += 3) {
      const d = forward[0] * (p[j] - eye[0]) + forward[1] * (p[j + 1] - eye[1]) + forward[2] * (p[j + 2] - eye[2]);
      z[i] = d;
      if (d < low) low = d;
      if (d > high) high = d;
    }
    // Inverse depth where it is before the camera: near things need the finer steps.
    const near = Math.max(low, NEAREST), far = Math.max(high, near * 1.0001), scale = 65534 / (1 / near - 1 / far);
    counts.fill(0);
    for (let i = 0; i < count; i++) {
      const d = z[i] < near ? 65535 : ((1 / z[i] - 1 / far) * scale) | 0;
      depths[i] = d;
      counts[d]++;
    }
    let start = 0;
    for (let d = 0; d < 65536; d++) { const n = counts[d]; counts[d] = start; start += n; }
    for (let i = 0; i < count; i++) order[counts[depths[i]]++] = i;
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.indices);
    gl.bufferData(gl.ARRAY_BUFFER, order, gl.DYNAMIC_DRAW);
  }

  _frame(now) {
    if (this.swing) {
      const phase = 2 * Math.PI * (now - this.swing) / 1000 / SWING_SECONDS;
      this.camera.yaw = SWING_ANGLE * Math.sin(phase);
      this.camera.pitch = 0.4 * SWING_ANGLE * Math.sin(2 * phase);
      this.dirty = true;
    }
    if (!this.dirty) return;
    this.dirty = false;
    const gl = this.gl, ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.max(1, Math.round(canvas.clientWidth * ratio)), height = Math.max(1, Math.round(canvas.clientHeight * ratio));
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const rows = this.camera.matrix(), eye = this.camera.eye();
    const key = [...rows[2], ...eye].map((v) => v.toFixed(4)).join();
    if (key !== this.sorted) { this._sort(rows[2], eye); this.sorted = key; }
    // The whole photo fits into the window.
    const focal = Math.min(height / (2 * Math.tan(this.photo.fov_y / 2)), width / (2 * Math.tan(this.photo.fov_x / 2)));
    gl.viewport(0, 0, width, height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniformMatrix3fv(this.at("turn"), true, rows.flat());
    gl.uniform3fv(this.at("eye"), eye);
    gl.uniform2f(this.at("focal"), focal, focal);
    gl.uniform2f(this.at("viewport"), width, height);
    gl.uniform1i(this.at("rows"), 0);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.count);
    this.focal = focal / ratio;
    this.frames++;
  }
}

function listen(view) {
  const camera = view.camera, held = new Map();
  const changed = () => { view.swing = 0; view.draw_soon(); };
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, [event.clientX, event.clientY]);
  });
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => held.delete(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const dx = event.clientX - before[0], dy = event.clientY - before[1];
    if (held.size === 2) { // two fingers: nearer and sideways
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
      const is = Math.hypot(event.clientX - other[0], event.clientY - other[1]);
      camera.approach(was / Math.max(is, 1));
      camera.move(dx / 2 * camera.away / view.focal, dy / 2 * camera.away / view.focal);
    } else if (event.shiftKey || event.buttons & 6) {
      camera.move(dx * camera.away / view.focal, dy * camera.away / view.focal);
    } else {
      camera.turn(dx * 0.005, -dy * 0.005);
    }
    held.set(event.pointerId, [event.clientX, event.clientY]);
    changed();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    camera.approach(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * 0.001));
    changed();
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, -0.05], ArrowDown: [0, 0.05] }[event.key];
    if (step) camera.turn(...step);
    else if (event.key === "+") camera.approach(0.9);
    else if (event.key === "-") camera.approach(1 / 0.9);
    else return;
    event.preventDefault();
    changed();
  });
  document.getElementById("back").addEventListener("click", () => { camera.reset(); changed(); });
  document.getElementById("spin").addEventListener("click", () => { camera.reset(); changed(); view.swing = performance.now(); });
}

async function main() {
  const scene = new URLSearchParams(location.search).get("scene");
  if (!scene) return;
  say("Loading the scene …");
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, preserveDrawingBuffer: true });
  if (!gl) { say("This browser has no WebGL 2: the scene cannot be shown here. The PLY can be downloaded all the same."); return; }
  const answers = await Promise.all(["scene.splat", "camera.json"].map((name) => fetch(`/scenes/${scene}/${name}`)));
  for (const answer of answers) if (!answer.ok) { say(await answer.text()); return; }
  const view = new View(gl, await answers[0].arrayBuffer(), await answers[1].json());
  listen(view);
  window.view = view; // for the console, and for tests
  document.getElementById("bar").hidden = false;
  say("");
}

main().catch((error) => say(`The scene cannot be shown: ${error.message}`));
