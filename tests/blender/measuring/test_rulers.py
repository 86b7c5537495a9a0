"""Blender's rulers: read in, measured against the photo, carried along with it.

Scripts cannot make rulers, so one comes from ``tests/data/ruler.blend``; where its ends are is up to the test.
"""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from named_lengths import TRUTH, places  # noqa: E402
from paths import TESTS  # noqa: E402

FIXTURE = TESTS / "data" / "ruler.blend"


def draw_ruler(ends: np.ndarray) -> None:
    """Put a ruler of those ends (2, 3) into the scene."""
    kind = "annotations" if bpy.app.version >= (5, 0, 0) else "grease_pencils"
    with bpy.data.libraries.load(str(FIXTURE)) as (there, wanted):
        setattr(wanted, kind, getattr(there, kind))
    annotation = getattr(bpy.data, kind)[0]
    if bpy.app.version >= (5, 0, 0):
        bpy.context.scene.annotation = annotation
    else:
        bpy.context.scene.grease_pencil = annotation
    (layer,) = annotation.layers
    assert layer.is_ruler
    for point, end in zip(layer.frames[0].strokes[0].points, ends, strict=True):
        point.co = end


def test_a_ruler_is_listed_with_what_it_is_worth(panel, addon) -> None:
    from image_to_3d.core import ImageTo3DError

    rulers, scene = addon.measuring.lengths.rulers, bpy.context.scene
    assert rulers.all_of(scene) == []
    panel.choose_sample()
    root = panel.generate().root
    ends = np.reshape(places(addon, root, "door_height"), (2, 3))
    draw_ruler(ends)
    (ruler,) = rulers.all_of(scene)
    np.testing.assert_allclose([tuple(end) for end in ruler.ends], ends, atol=1e-6)
    addon.measuring.analysis.request(root)
    panel.session.wait(60)
    length = rulers.measure(scene, root, ruler, addon.measuring.analysis.known(root))
    true = TRUTH["door_height"]["length_m"]
    assert length.metres == pytest.approx(ruler.length) == pytest.approx(true, rel=1e-3)
    assert length.interval[0] < true < length.interval[1] and 0.02 < length.sd / true < 0.05, "3 % of a depth file"
    assert addon.measuring.scale.length_text(bpy.context, length).startswith("≈ 2.0")

    draw_ruler(ends * 0.5)
    (ruler,) = rulers.all_of(scene)
    with pytest.raises(ImageTo3DError, match="does not lie on the surface"):
        rulers.measure(scene, root, ruler, addon.measuring.analysis.known(root))


def test_a_ruler_calibrates_and_goes_with_the_photo(panel, addon) -> None:
    rulers, scene = addon.measuring.lengths.rulers, bpy.context.scene
    panel.choose_sample()
    root = panel.generate().root
    draw_ruler(np.reshape(places(addon, root, "door_height"), (2, 3)))
    assert bpy.ops.image_to_3d.calibrate(ruler=0, length=3.0) == {"FINISHED"}
    panel.session.wait(60)
    assert rulers.all_of(scene)[0].length == pytest.approx(3.0, abs=1e-4)
    assert bpy.ops.image_to_3d.level() == {"FINISHED"}
    panel.session.wait(60)
    (ruler,) = rulers.all_of(scene)
    along = (ruler.ends[1] - ruler.ends[0]).normalized()
    assert abs(along.z) > 0.999, "a door stands upright"
    np.testing.assert_allclose(
        [tuple(end) for end in ruler.ends], np.reshape(places(addon, root, "door_height"), (2, 3)), atol=0.01
    )
    assert bpy.ops.image_to_3d.calibrate(ruler=7, length=3.0) == {"CANCELLED"}
    assert "has been removed" in str(panel.session.failure)


def test_a_ruler_beside_the_photo_stays_where_it_is(panel, addon) -> None:
    panel.choose_sample()
    panel.generate()
    draw_ruler(np.array([[5.0, -3.0, 0.0], [5.0, -3.0, 1.0]]))
    assert bpy.ops.image_to_3d.level() == {"FINISHED"}
    panel.session.wait(60)
    (ruler,) = addon.measuring.lengths.rulers.all_of(bpy.context.scene)
    assert tuple(ruler.ends[0]) == (5.0, -3.0, 0.0)
