"""Tools that are used with the mouse: what they take, what they leave alone, and that nothing of them stays."""

from __future__ import annotations

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

from viewports import Part, context_of, event, part, viewport  # noqa: E402

RUNNING, PASSED, CANCELLED, FINISHED = {"RUNNING_MODAL"}, {"PASS_THROUGH"}, {"CANCELLED"}, {"FINISHED"}
INSIDE, SIDEBAR, HEADER, ELSEWHERE = (100, 100), (350, 100), (100, 295), (900, 500)


@pytest.fixture
def area():
    return viewport()


@pytest.fixture
def context(area):
    return context_of(area)


@pytest.fixture
def make(addon, context):
    """A tool that has begun, and writes down what it is told."""

    class Tool(addon.ui.modal.ViewportTool):
        goes_on, result = True, None

        def __init__(self) -> None:
            self.told: list[tuple] = []

        def hint(self) -> str:
            return "Click"

        def possible(self, context) -> bool:
            return self.goes_on

        def pressed(self, context, event, view):
            self.told.append(("pressed", view.at, view.data))
            return self.result

        def dragged(self, context, event, view):
            self.told.append(("dragged", view.at, view.data))

        def released(self, context, event, view):
            self.told.append(("released", view.at, view.data))
            return FINISHED

    def begin(drags: bool = False):
        tool = Tool()
        tool.DRAGS = drags
        assert tool.start(context) == RUNNING
        return tool

    return begin


def assert_nothing_is_left(tool, context) -> None:
    with pytest.raises(ValueError):  # it is no longer there
        bpy.types.SpaceView3D.draw_handler_remove(tool._drawing, "WINDOW")
    assert not context.window.cursors or context.window.cursors[-1] == ""


@pytest.mark.parametrize("place", [SIDEBAR, HEADER, ELSEWHERE])
@pytest.mark.parametrize("kind", ["LEFTMOUSE", "RIGHTMOUSE", "A", "MOUSEMOVE"])
def test_what_happens_beside_the_view_is_not_the_tools(make, context, place, kind) -> None:
    tool = make()
    assert tool.modal(context, event(kind, place)) == PASSED
    assert tool.told == []
    tool.cancel(context)


@pytest.mark.parametrize("value", ["PRESS", "DOUBLE_CLICK"])
def test_clicks_in_the_view_are_its_and_views_can_be_turned(make, context, value) -> None:
    tool = make()
    assert tool.modal(context, event("LEFTMOUSE", value=value)) == RUNNING
    assert tool.told == [("pressed", (100.0, 100.0), "the view")]
    assert tool.modal(context, event("LEFTMOUSE", value="RELEASE")) == RUNNING
    assert tool.modal(context, event("A")) == RUNNING, "no shortcut of Blender's while the tool has the mouse"
    assert tool.modal(context, event("MIDDLEMOUSE")) == PASSED
    assert tool.modal(context, event("TIMER")) == PASSED, "somebody else's"
    tool.cancel(context)


def test_a_closed_sidebar_is_not_in_the_way(make, context, area) -> None:
    sidebar = area.regions[2]
    sidebar.width = 1
    sidebar.x = SIDEBAR[0]
    tool = make()
    assert tool.modal(context, event("LEFTMOUSE", SIDEBAR)) == RUNNING and tool.told
    tool.cancel(context)


def test_a_drag_belongs_to_the_tool_until_the_button_goes_up(make, context) -> None:
    tool = make(drags=True)
    assert tool.modal(context, event("LEFTMOUSE")) == RUNNING
    assert tool.modal(context, event("MOUSEMOVE", SIDEBAR)) == RUNNING
    assert tool.modal(context, event("INBETWEEN_MOUSEMOVE", ELSEWHERE)) == RUNNING
    assert tool.modal(context, event("LEFTMOUSE", ELSEWHERE, "RELEASE")) == FINISHED
    places = [at for _, at, _ in tool.told]
    assert places == [(100.0, 100.0), (350.0, 100.0), (900.0, 500.0), (900.0, 500.0)]
    assert_nothing_is_left(tool, context)


def quad(area) -> list[Part]:
    """Four views in place of one."""
    four = [part("WINDOW", x, y, 150, 140, "QUAD_SPLIT") for x in (0, 150) for y in (0, 140)]
    area.regions[3:] = four
    area.shown.region_quadviews = ("a", "b", "c", "d")
    return four


def test_a_quad_view_has_four_views(make, context, area) -> None:
    quad(area)
    tool = make()
    for at, shown in (((10, 10), "a"), ((10, 150), "b"), ((160, 10), "c"), ((160, 150), "d")):
        tool.modal(context, event("LEFTMOUSE", at))
        assert tool.told[-1] == ("pressed", (10.0, 10.0), shown)
    tool.cancel(context)


def test_a_drag_ends_with_its_region(make, context, area) -> None:
    quad(area)
    tool = make(drags=True)
    assert tool.modal(context, event("LEFTMOUSE", (160, 10))) == RUNNING
    area.regions[3:] = [part("WINDOW", 0, 0, 400, 300, "NONE")]
    area.shown.region_quadviews = ()
    assert tool.modal(context, event("MOUSEMOVE")) == CANCELLED
    assert [what for what, *_ in tool.told] == ["pressed"]
    assert_nothing_is_left(tool, context)


def closed(context, tool) -> None:
    context.area = None


def another_editor(context, tool) -> None:
    context.area.type = "IMAGE_EDITOR"


def another_viewport(context, tool) -> None:
    context.area = Part(type="VIEW_3D", regions=[], tag_redraw=lambda: None)


def no_longer_possible(context, tool) -> None:
    tool.goes_on = False


@pytest.mark.parametrize("change", [closed, another_editor, another_viewport, no_longer_possible])
@pytest.mark.parametrize("drags", [False, True])
def test_it_ends_with_its_viewport(make, context, change, drags) -> None:
    tool = make(drags)
    tool.modal(context, event("MOUSEMOVE"))
    if drags:
        tool.modal(context, event("LEFTMOUSE"))
    change(context, tool)
    assert tool.modal(context, event("MOUSEMOVE")) == CANCELLED
    assert_nothing_is_left(tool, context)


@pytest.mark.parametrize(("kind", "at"), [("ESC", INSIDE), ("ESC", SIDEBAR), ("RIGHTMOUSE", INSIDE)])
@pytest.mark.parametrize("drags", [False, True])
def test_it_is_given_up(make, context, kind, at, drags) -> None:
    tool = make(drags)
    if drags:
        tool.modal(context, event("LEFTMOUSE"))
    assert tool.modal(context, event(kind, at)) == CANCELLED
    assert_nothing_is_left(tool, context)


def test_a_window_that_closes_or_another_file_leaves_nothing(make, context) -> None:
    tool = make()
    tool.modal(context, event("MOUSEMOVE"))
    context.area = context.window = None
    tool.cancel(context)
    with pytest.raises(ValueError):
        bpy.types.SpaceView3D.draw_handler_remove(tool._drawing, "WINDOW")
    tool.cancel(context)  # told twice


def test_nothing_is_left_when_the_extension_is_switched_off_meanwhile(make, context, addon) -> None:
    tool = make()
    addon.runtime.objects.of(addon.ui.modal.Traces).close()
    assert_nothing_is_left(tool, context)
    assert tool.modal(context, event("ESC")) == CANCELLED


def test_a_fault_leaves_nothing(make, context) -> None:
    tool = make()
    tool.pressed = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        tool.modal(context, event("LEFTMOUSE"))
    assert_nothing_is_left(tool, context)
    assert "CANCELLED" in tool.modal(context, event("MOUSEMOVE"))


def test_it_does_not_live_on_beside_the_dialog_that_it_opens(make, context) -> None:
    tool = make()
    tool.result = RUNNING  # what ``bpy.ops`` says of a dialog
    assert tool.modal(context, event("LEFTMOUSE")) == FINISHED
    assert_nothing_is_left(tool, context)


def test_the_cross_is_only_over_the_view(make, context) -> None:
    tool = make()
    for at in (INSIDE, INSIDE, SIDEBAR, INSIDE):
        tool.modal(context, event("MOUSEMOVE", at))
    tool.cancel(context)
    assert context.window.cursors == ["CROSSHAIR", "", "CROSSHAIR", ""]


def test_every_tool_of_the_extension_can_be_cancelled(addon) -> None:
    tools = [cls for cls in bpy.types.Operator.__subclasses__() if hasattr(cls, "modal")]
    ours = [cls for cls in tools if cls.__module__.startswith(addon.__name__)]
    assert len(ours) >= 6
    for cls in ours:
        assert hasattr(cls, "cancel"), cls
        assert issubclass(cls, addon.ui.modal.ViewportTool), cls
