#!/usr/bin/env python3
"""Drive a Blender with a window as a person would, and take pictures of it for the documentation.

    python scripts/window_screenshot.py --chroot DIR --zip ZIP      # a Debian with blender, xvfb, xdotool, imagemagick; needs root
    python scripts/window_screenshot.py --zip ZIP panel             # the same programs of this machine, one scenario

Run it with the backend's Python. Every folder in ``scripts/window/scenarios`` is a scenario, see ``scripts/window/__init__.py``. It
fails if a step does not happen. Pictures go to ``docs/images``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from window import runner


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Drive a Blender with a window and take pictures of it.")
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(runner.names())}; all without one")
    parser.add_argument("--zip", type=Path, required=True, help="the extension, see build_extension.py")
    parser.add_argument("--chroot", type=Path, help="root folder of a Debian that has the programs")
    parser.add_argument("--blender", default="blender", help="the Blender binary")
    parser.add_argument("--output-dir", type=Path, default=runner.REPOSITORY / "docs" / "images")
    parser.add_argument("--keep", action="store_true", help="keep the work folder")
    parser.add_argument(
        "--mount", type=Path, action="append", default=[], help="a folder that the chroot is to see too"
    )
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="for Blender, such as PIP_FIND_LINKS"
    )
    args = parser.parse_args()
    variables = dict(setting.split("=", 1) for setting in args.env)
    unknown = set(args.scenario) - set(runner.names())
    if unknown:
        parser.error(f"there is no scenario {', '.join(sorted(unknown))}")
    for name in args.scenario or runner.names():
        print(f"{name} …", flush=True)
        runner.run(name, args.zip, args.output_dir, args.chroot, args.blender, args.keep, args.mount, variables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
