"""Measure: ``python scripts/bench.py NAME… [--json]``. One module in ``benchmarks/`` for each NAME, with ``run() -> rows``."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "benchmarks"


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))


def machine() -> str:
    """What the figures belong to."""
    import psutil
    import torch

    accelerator = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    memory = psutil.virtual_memory().total / 1e9
    return (
        f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores, {memory:.0f} GB, {accelerator}; "
        f"Python {platform.python_version()}, torch {torch.__version__}; load before: {psutil.cpu_percent(1.0):.0f} %"
    )


def print_table(rows: list[dict[str, Any]]) -> None:
    """Rows under a common head; a new head where the columns change."""
    columns: list[str] = []
    for row in rows:
        if list(row) != columns:
            columns = list(row)
            same = [r for r in rows if list(r) == columns]
            widths = {c: max(len(c), *(len(str(r[c])) for r in same)) for c in columns}
            print("\n" + "  ".join(c.ljust(widths[c]) for c in columns))
        print("  ".join(str(row[c]).ljust(widths[c]) for c in columns))


def main() -> int:
    """Run the benchmarks that were named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("names", nargs="+", choices=names(), metavar="NAME", help=", ".join(names()))
    parser.add_argument("--json", action="store_true", help="one JSON object per row")
    args = parser.parse_args()
    if (
        importlib.util.find_spec("image_to_3d") is None
    ):  # started with a bare Python: go on in the project's environment
        from environments import SetupError, backend_environment

        try:
            python = backend_environment().python
        except SetupError as failure:
            print(failure, file=sys.stderr)
            return 3
        return subprocess.run([str(python), *sys.argv]).returncode
    sys.path.insert(0, str(FOLDER.parent))
    print(machine(), file=sys.stderr)
    for name in args.names:
        rows = importlib.import_module(f"benchmarks.{name}").run()
        if args.json:
            for row in rows:
                print(json.dumps({"benchmark": name, **row}), flush=True)
        else:
            print(f"\n{name}")
            print_table(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
