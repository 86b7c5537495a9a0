"""A program to drag files from, with GTK: ``source.py X Y FILE…`` puts a small window there. Needs python3-gi and GTK 3."""

from __future__ import annotations

import sys
from pathlib import Path

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402 - only once the version is chosen


def main() -> None:
    """Show the window until the process is ended."""
    x, y, *files = sys.argv[1:]
    window = Gtk.Window(type=Gtk.WindowType.POPUP)
    window.add(Gtk.Label(label=f"{len(files)} file(s)"))
    window.set_default_size(160, 60)
    window.move(int(x), int(y))
    window.add_events(Gdk.EventMask.BUTTON_PRESS_MASK)
    window.drag_source_set(Gdk.ModifierType.BUTTON1_MASK, [], Gdk.DragAction.COPY)
    window.drag_source_add_uri_targets()
    uris = [Path(path).as_uri() for path in files]
    window.connect("drag-data-get", lambda _widget, _drag, data, *_: data.set_uris(uris))
    window.show_all()
    Gtk.main()


if __name__ == "__main__":
    main()
