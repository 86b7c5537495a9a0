"""Make what the tests need and run all of them: ``python scripts/test.py [--full] [pytest arguments]``.

Lint and types first, then side by side the tests of the package and those in Blender: in the newest whose Python exists here, or
with ``--full`` in each of them. What they say is printed when they have ended, and at last what each file cost.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
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

SIDE_BY_SIDE = 2


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
    failed = []
    for tool, *arguments in (["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]):
        print(f"── {tool} {' '.join(arguments)}", flush=True)
        if subprocess.run([backend.python, "-m", tool, *arguments], cwd=REPOSITORY).returncode:
            failed.append(tool)
    extra = [*(["--full"] if args.full else []), *pytest_arguments]
    chosen = [argument for argument in extra if (REPOSITORY / argument.partition("::")[0]).exists()]
    extra = [argument for argument in extra if argument not in chosen]
    in_blender = [argument for argument in chosen if argument.startswith("tests/blender")]
    in_package = [argument for argument in chosen if argument not in in_blender]
    # Each part waits half of its time for processes that it has started: side by side they use both cores.
    parts = []
    if in_package or not chosen:
        parts.append(Part("the package", backend, ["--ignore=tests/blender", *in_package, *extra]))
    if in_blender or not chosen:
        parts += [
            Part(
                f"Blender {version}",
                environment,
                [*(in_blender or ["tests/blender"]), *extra],
                IMAGE_TO_3D_TEST_PYTHON=str(backend.python),
            )
            for version, environment in blenders.items()
        ]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as executor:
        for future in as_completed([executor.submit(part.run) for part in parts]):
            part = future.result()
            print(f"── tests of {part.name}, {part.seconds:.0f} s\n{part.output}", flush=True)
            if not part.passed:
                failed.append(f"tests of {part.name}")
    print(costs(parts))
    absent = [] if args.no_blender else [v for v in BLENDERS if v not in found]
    if absent:
        print(f"Not tested, because their Python is absent: Blender {', '.join(absent)}")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    outcomes = sum((part.outcomes for part in parts), Counter())
    print(f"{outcomes['passed']} passed, {outcomes['failed']} failed, {outcomes['skipped']} skipped")
    return 1 if failed else 0


class Part:
    """The tests of one environment.

    Attributes:
        name: of what is tested.
        output: what pytest said.
        outcomes: how many passed, failed and were skipped.
        files: seconds by file.
    """

    def __init__(self, name: str, environment: Environment, arguments: list[str], **variables: str) -> None:
        self.name, self.environment, self.arguments = name, environment, arguments
        self.variables = variables
        self.output, self.passed, self.seconds = "", False, 0.0
        self.outcomes: Counter[str] = Counter()
        self.files: Counter[str] = Counter()

    def run(self) -> Part:
        """Run them; returns itself."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [self.environment.python, "-m", "pytest", "-q", "--durations=10", f"--junitxml={report}"]
            done = subprocess.run(
                [str(part) for part in (*command, *self.arguments)],
                cwd=REPOSITORY,
                env={**os.environ, **self.variables},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            if report.is_file():
                self._read(ET.parse(report))
        self.output, self.passed, self.seconds = done.stdout, done.returncode == 0, time.monotonic() - start
        return self

    def _read(self, report: ET.ElementTree) -> None:
        suite = next(report.getroot().iter("testsuite"))
        count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        bad = count["failures"] + count["errors"]
        self.outcomes.update(failed=bad, skipped=count["skipped"], passed=count["tests"] - bad - count["skipped"])
        for case in suite.iter("testcase"):
            self.files[case.get("classname", "").rpartition("tests.")[2]] += float(case.get("time", 0))


def costs(parts: list[Part], rows: int = 25) -> str:
    """What the files cost, the dearest first."""
    files = sorted(((s, f"{part.name}: {name}") for part in parts for name, s in part.files.items()), reverse=True)
    return "\n".join(["── seconds by file, set-up included", *(f"{s:7.1f}  {name}" for s, name in files[:rows])])


if __name__ == "__main__":
    sys.exit(main())
