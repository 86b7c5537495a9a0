"""What panels draw, without a window: a layout that only takes notes."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


@dataclass
class Drawn:
    """Stands in for ``UILayout``.

    Attributes:
        texts: of labels, in order.
        buttons: operator → text on it.
        properties: of the operators' buttons.
    """

    texts: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    properties: dict[str, SimpleNamespace] = field(default_factory=dict)

    def _same(self, *_: object, **__: object) -> Drawn:
        return self

    box = row = column = split = grid_flow = _same

    def separator(self, **_: object) -> None:
        pass

    def label(self, text: str = "", **_: object) -> None:
        self.texts.append(text)

    def progress(self, factor: float = 0.0, text: str = "", **_: object) -> None:
        assert 0 <= factor <= 1
        self.texts.append(text)

    def prop(self, owner: Any, name: str, **_: object) -> None:
        assert hasattr(owner, name)

    def operator(self, name: str, text: str = "", **_: object) -> SimpleNamespace:
        self.buttons[name] = text
        self.properties[name] = SimpleNamespace()
        return self.properties[name]

    @property
    def text(self) -> str:
        """All labels together: sentences are broken over several."""
        return " ".join(self.texts)


def context(bpy: Any) -> SimpleNamespace:
    """Blender's context, with a sidebar to draw in."""
    real = bpy.context
    return SimpleNamespace(
        region=SimpleNamespace(width=300),
        preferences=SimpleNamespace(addons=real.preferences.addons, system=SimpleNamespace(ui_scale=1.0)),
        scene=real.scene,
        object=real.object,
        window_manager=real.window_manager,
    )
