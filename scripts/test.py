"""Make what the tests need and run all of them: ``python scripts/test.py [--full] [pytest arguments]``.

Lint and types first, then the tests of the package, then the tests in Blender: in the newest whose Python exists here, or with
``--full`` in each of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from environments import (
    BLENDERS,
    REPOSITORY,
    Environment,
    SetupError,
    available_blenders,
    backend_environment,
    blender_environment,
)


def main() -> int:
    """0 if everything passed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--full", action="store_true", help="also the slow tests, and every Blender")
    parser.add_argument("--no-blender", action="store_true", help="leave the tests in Blender out")
    args, pytest_arguments = parser.parse_known_args()
    try:
        backend = backend_environment()
        found = list(available_blenders())
        wanted = [] if args.no_blender else found if args.full else found[-1:]
        blenders = {v: blender_environment(v) for v in wanted}
    except SetupError as failure:
        print(failure, file=sys.stderr)
        return 3
    outcomes: Counter[str] = Counter()
    failed = []
    for tool, *arguments in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        print(f"── {tool} {' '.join(arguments)}", flush=True)
        if subprocess.run([backend.python, "-m", tool, *arguments], cwd=REPOSITORY).returncode:
            failed.append(tool)
    extra = [*(["--full"] if args.full else []), *pytest_arguments]
    if not _pytest(backend, ["--ignore=tests/blender", *extra], outcomes):
        failed.append("tests of the package")
    for version, environment in blenders.items():
        if not _pytest(environment, ["tests/blender", *extra], outcomes, IMAGE_TO_3D_TEST_PYTHON=str(backend.python)):
            failed.append(f"tests in Blender {version}")
    absent = [] if args.no_blender else [v for v in BLENDERS if v not in found]
    if absent:
        print(f"Not tested, because their Python is absent: Blender {', '.join(absent)}")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    print(f"{outcomes['passed']} passed, {outcomes['failed']} failed, {outcomes['skipped']} skipped")
    return 1 if failed else 0


def _pytest(environment: Environment, arguments: list[str], outcomes: Counter[str], **variables: str) -> bool:
    print(f"── pytest in {environment.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [environment.python, "-m", "pytest", "-q", f"--junitxml={report}", *arguments]
        done = subprocess.run(list(map(str, command)), cwd=REPOSITORY, env={**os.environ, **variables})
        if report.is_file():
            suite = next(ET.parse(report).getroot().iter("testsuite"))
            count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
            outcomes["failed"] += count["failures"] + count["errors"]
            outcomes["skipped"] += count["skipped"]
            outcomes["passed"] += count["tests"] - count["failures"] - count["errors"] - count["skipped"]
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
