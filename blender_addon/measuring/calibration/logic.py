"""Known lengths in Blender: they scale the root and, where depth is relative, shift the inverse depth of what hangs below it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from image_to_3d.blender import points as blender_points
from image_to_3d.core import ImageTo3DError
from image_to_3d.core.lengths.anchors import anchor
from image_to_3d.core.lengths.calibration import Scale
from image_to_3d.core.lengths.known_lengths import Solution
from image_to_3d.core.lengths.reapply import (
    AnchoredLength,
    LevelRequest,
    Reapplied,
    level_as_requested,
    shift_cloud,
    solve_on,
)
from image_to_3d.core.surfaces.levelling import Levelling
from image_to_3d.core.surfaces.plumb_lines import plumb_lines_of
from image_to_3d.core.surfaces.surface import SurfaceGrid

from ... import translations
from ...runtime.objects import of
from ...runtime.workers import Handle, Workers, or_notice
from ...scene import build, camera, roles
from .. import analysis, anchors, stored_cloud
from ..analysis import Analysis
from ..lengths import dimension_objects, dimensions
from ..levelling import logic as levelling
from ..planes import report as plane_report
from ..scale import engine_prior


def known_of(root: bpy.types.Object) -> tuple[AnchoredLength, ...]:
    """The known lengths of a root."""
    get = anchors.get_anchor
    return tuple(AnchoredLength(get(k.start), get(k.end), k.metres) for k in root.image_to_3d.calibration.known)


def write_reapplied(scene: bpy.types.Scene, root: bpy.types.Object, reapplied: Reapplied) -> None:
    """Calibrate and level a root whose photo was made anew.

    Args:
        scene: of the root.
        root: of the photo.
        reapplied: of :func:`~image_to_3d.core.lengths.reapply.reapply_measurements`.
    """
    bpy.context.view_layer.update()
    state, outcome = root.image_to_3d.calibration, root.image_to_3d.outcome
    state.bend = 0.0
    if reapplied.solution is not None:
        _record(root, known_of(root), reapplied.solution)
        _size(scene, root, reapplied.solution.scale.factor)
        if reapplied.solution.inverse_depth_shift:
            outcome.backend_scene = ""  # the backend has the shape before
    if reapplied.levelling is not None:
        levelling.reapply(root, reapplied.levelling)
    outcome.warnings = "\n".join([*outcome.warnings.splitlines(), *map(translations.stored, reapplied.warnings)])
    _reach(scene, root)


def remeasure_later(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Have the dimensions and planes of a photo measured anew once its points are known; an undo step of its own."""
    if not any(dimension_objects.of(root)) and not len(root.image_to_3d.inspection.planes):
        return

    def work(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
        dimensions.remeasure(root, scene, found)
        plane_report.remeasure(root, scene, found)

    if stored_cloud.measurable(root):
        analysis.request(root, analysis.resumed(scene, root, work, "Update Dimensions"))


def add(
    root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, places: NDArray[np.float64], metres: float
) -> None:
    """Add a known length and calibrate.

    Args:
        root: of a photo.
        scene: of the root.
        found: of the photo.
        places: (2, 3) the ends, camera frame, metres of the engine.
        metres: true length.

    Raises:
        ImageTo3DError: see :func:`calibrate`.
    """
    start, end = (anchor(found.grid, place) for place in places)
    calibrate(root, scene, found, (*known_of(root), AnchoredLength(start, end, metres)))


def drop(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, index: int) -> None:
    """Drop a known length and calibrate with those that are left.

    Raises:
        ImageTo3DError: see :func:`calibrate`.
    """
    known = known_of(root)
    calibrate(root, scene, found, known[:index] + known[index + 1 :])


def calibrate(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis, known: Sequence[AnchoredLength]) -> None:
    """Calibrate with known lengths; without any, as the engine made it. One undo step, now or when the shape is ready.

    Raises:
        ImageTo3DError: ``bad_request`` with the reason if the lengths do not calibrate. A first length of relative depth is kept
            all the same, because it calibrates together with the next.
    """
    state = root.image_to_3d.calibration
    metric = root.image_to_3d.outcome.metric
    prior = engine_prior(root)
    if not known:
        solution = Solution(Scale(prior.state, prior.relative_sd, prior.focal_sd), -state.bend)
    else:
        try:
            solution = solve_on(found.grid, known, prior, metric, found.planes)
        except ImageTo3DError:
            if not metric and len(known) == 1 and not state.calibrated:
                _write_known(root, known, (0.0,))
                bpy.ops.ed.undo_push(message="Known Length")
            raise
    if not solution.inverse_depth_shift:
        _finish(scene, root, known, solution)
        return
    stored, request = stored_cloud.read(root, everything=True), levelling.level_request_of(root)
    points_uid = roles.points_of(root).data.session_uid

    def work(_: Handle) -> _Shape:
        return _shift(stored, solution, request)

    def shifted(root: bpy.types.Object, scene: bpy.types.Scene, shape: _Shape) -> None:
        points = roles.points_of(root)
        if points is None or points.data.session_uid != points_uid:  # made anew meanwhile: with the new points then

            def again(root: bpy.types.Object, scene: bpy.types.Scene, found: Analysis) -> None:
                calibrate(root, scene, found, known)

            analysis.request(root, analysis.resumed(scene, root, again))
            return
        build.reshape(scene, root, shape.points, shape.kept, solution.inverse_depth_shift)
        root.image_to_3d.calibration.bend += solution.inverse_depth_shift
        _finish(scene, root, known, solution, shape.levelling)
        remeasure_later(scene, root)

    of(Workers).run(work, or_notice("calibration", analysis.resumed(scene, root, shifted)))


@dataclass(frozen=True, eq=False)
class _Shape:
    points: blender_points.BlenderPoints
    kept: NDArray[np.intp]
    levelling: Levelling | None


def _shift(stored: stored_cloud.StoredPoints, solution: Solution, request: LevelRequest | None) -> _Shape:
    """Everything about another shape that costs time. Background thread."""
    before = stored.cloud()
    after = shift_cloud(before, solution.inverse_depth_shift)
    levelled = None
    if request is not None:
        try:
            levelled = level_as_requested(
                SurfaceGrid.from_cloud(after), request, True, plumb_lines_of(after.provenance)
            )
        except ImageTo3DError:
            levelled = None  # it stands as before
    kept = np.flatnonzero(np.isin(stored.picture.cells, after.cells()))
    return _Shape(blender_points.from_cloud(after, stored.metres_per_unit), kept, levelled)


def _finish(
    scene: bpy.types.Scene,
    root: bpy.types.Object,
    known: Sequence[AnchoredLength],
    solution: Solution,
    levelled: Levelling | None = None,
) -> None:
    bpy.context.view_layer.update()
    _record(root, known, solution)
    _size(scene, root, solution.scale.factor)
    if levelled is not None:
        levelling.reapply(root, levelled)
    _reach(scene, root)
    dimensions.refresh(root, scene)
    if not solution.inverse_depth_shift and len(root.image_to_3d.inspection.planes):  # their areas have changed
        remeasure_later(scene, root)
    bpy.ops.ed.undo_push(message="Calibrate" if known else "Remove Calibration")


def _record(root: bpy.types.Object, known: Sequence[AnchoredLength], solution: Solution) -> None:
    state, scale = root.image_to_3d.calibration, solution.scale
    state.calibrated = bool(known)
    state.field = "" if scale.field is None else json.dumps([k.to_plain() for k in scale.field.known])
    state.factor, state.relative_sd, state.lateral_share = scale.factor, scale.relative_sd, scale.lateral_share
    _write_known(root, known, scale.residuals_m or (0.0,) * len(known))


def _write_known(root: bpy.types.Object, known: Sequence[AnchoredLength], residuals: Sequence[float]) -> None:
    stored = root.image_to_3d.calibration.known
    stored.clear()
    for length, residual in zip(known, residuals, strict=True):
        item = stored.add()
        item.metres, item.residual_m = length.metres, residual
        anchors.set_anchor(item.start, length.start)
        anchors.set_anchor(item.end, length.end)


def _size(scene: bpy.types.Scene, root: bpy.types.Object, factor: float) -> None:
    """Have Blender display ``factor`` metres for each of the engine."""
    levelling.move(root, levelling.sized(root, factor / stored_cloud.world_scale(root, scene)))


def _reach(scene: bpy.types.Scene, root: bpy.types.Object) -> None:
    """Have the camera see everything at its new size."""
    view, points = roles.camera_of(root), roles.points_of(root)
    if view is None or points is None:
        return
    depth = np.array([corner[1] for corner in points.bound_box])
    size = root.matrix_world.median_scale
    camera.reach(view.data, size * max(depth.min(), 0.0), size * depth.max(), scene.unit_settings.scale_length)
