"""The installer as a program, see :mod:`.__main__`."""

from __future__ import annotations

import argparse
import platform
import sys
from pathlib import Path

from .builds import choose_torch, find_gpu, source
from .commands import shell
from .environment import Installer
from .errors import InstallError
from .pythons import find_python
from .records import remove


def shell_command(python: str, folder: Path) -> str:
    """The line that does in a terminal what the button does; for PowerShell on Windows."""
    return shell([python, str(Path(__file__).resolve().parent), "--folder", str(folder)])


def main() -> int:
    """0 if the backend is installed (or removed); 1 with a sentence if not; 130 if interrupted."""
    parser = argparse.ArgumentParser(
        prog="installer", description="Install the backend of Image to 3D into an environment of its own."
    )
    parser.add_argument("--folder", type=Path, required=True, help="where; the extension shows its own folder")
    parser.add_argument(
        "--python", default="", help="interpreter for the environment; default: this one, or one on the PATH"
    )
    parser.add_argument(
        "--torch", choices=["auto", "cpu", "cuda"], default="auto", help="default: what the machine has"
    )
    parser.add_argument("--remove", action="store_true", help="delete the installation")
    args = parser.parse_args()
    folder = args.folder.expanduser().absolute()
    try:
        if args.remove:
            remove(folder)
            print(f"Removed {folder}")
            return 0
        wanted = source(Path(__file__).resolve().parents[2])
        torch = choose_torch(args.torch, platform.system(), find_gpu())
        record = Installer(folder, wanted, torch, find_python(args.python), say=print).run()
    except InstallError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to go on.", file=sys.stderr)
        return 130
    print(f"The backend is installed: {shell(record.command)}")
    return 0
