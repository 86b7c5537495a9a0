"""Make what the tests need and run all of them: ``python scripts/test.py [--full] [pytest arguments]``.

Lint and types first, then side by side the tests of the package and those in Blender: in the newest whose Python exists here, or
with ``--full`` in each of them. Both are halved by file; a half has its own process, and so its own Blender, home and backend.
What a part says is printed whole when it has ended, and at last what each file and the dearest tests cost.
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
from collections.abc import Iterator
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

SIDE_BY_SIDE = 1 + min(2, os.cpu_count() or 1)
"""Parts that run at a time: each waits more than half of its time for processes that it has started and for deadlines."""

HALVES = 2

NO_TESTS = 5
"""pytest's exit status where nothing was chosen: ``-k`` may leave a half without tests."""


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
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        if in_blender or not chosen:
            for version, environment in blenders.items():
                variables = {"IMAGE_TO_3D_TEST_PYTHON": str(backend.python)}
                if built := extension(environment, Path(folder) / version):
                    variables["IMAGE_TO_3D_TEST_ZIP"] = str(built)
                parts += halves(f"Blender {version}", environment, in_blender or ["tests/blender"], extra, variables)
        if in_package or not chosen:
            parts += halves("the package", backend, in_package or ["tests"], extra, {})
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
    outcomes = sum((part.outcomes for part in parts), Counter())
    if not any(outcomes.values()):
        failed.append("no test was chosen")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    print(f"{outcomes['passed']} passed, {outcomes['failed']} failed, {outcomes['skipped']} skipped")
    return 1 if failed else 0


def extension(environment: Environment, folder: Path) -> Path | None:
    """The extension's zip, built once for all halves; None if that fails, which their tests will say better."""
    command = [environment.python, REPOSITORY / "scripts" / "build_extension.py", "--output-dir", folder]
    subprocess.run([*command, "--blender-python", environment.python], stdout=subprocess.DEVNULL)
    return next(folder.glob("*.zip"), None)


def halves(
    name: str, environment: Environment, chosen: list[str], extra: list[str], variables: dict[str, str]
) -> Iterator[Part]:
    """Parts with about as much to read each; one part for what a person has chosen file by file."""
    files = sorted(
        file for folder in chosen if (REPOSITORY / folder).is_dir() for file in tests_in(REPOSITORY / folder)
    )
    if not files or not all((REPOSITORY / folder).is_dir() for folder in chosen):
        yield Part(name, environment, [*chosen, *extra], variables)
        return
    shares: list[list[Path]] = [[] for _ in range(min(HALVES, len(files)))]
    for file in sorted(files, key=lambda file: -file.stat().st_size):
        min(shares, key=lambda share: sum(f.stat().st_size for f in share)).append(file)
    for number, share in enumerate(shares, 1):
        arguments = [str(file.relative_to(REPOSITORY)) for file in sorted(share)]
        yield Part(f"{name}, {number} of {len(shares)}", environment, [*arguments, *extra], variables)


def tests_in(folder: Path) -> list[Path]:
    """Files of tests below a folder: those in Blender only if the folder is among them."""
    in_blender = REPOSITORY / "tests" / "blender"
    inside = folder == in_blender or in_blender in folder.parents
    return [file for file in folder.rglob("test_*.py") if inside or in_blender not in file.parents]


class Part:
    """Tests that share a process.

    Attributes:
        name: of what is tested.
        output: what pytest said.
        outcomes: how many passed, failed and were skipped.
        files, tests: seconds by file and by test.
    """

    def __init__(self, name: str, environment: Environment, arguments: list[str], variables: dict[str, str]) -> None:
        self.name, self.environment, self.arguments = name, environment, arguments
        self.variables = variables
        self.output, self.passed, self.seconds = "", False, 0.0
        self.outcomes: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()

    def run(self) -> Part:
        """Run them; returns itself."""
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [self.environment.python, "-m", "pytest", "-q", f"--junitxml={report}"]
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
        self.output, self.passed, self.seconds = done.stdout, done.returncode in (0, NO_TESTS), time.monotonic() - start
        return self

    def _read(self, report: ET.ElementTree) -> None:
        suite = next(report.getroot().iter("testsuite"))
        count = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        bad = count["failures"] + count["errors"]
        self.outcomes.update(failed=bad, skipped=count["skipped"], passed=count["tests"] - bad - count["skipped"])
        for case in suite.iter("testcase"):
            file, seconds = case.get("classname", "").rpartition("tests.")[2], float(case.get("time", 0))
            self.files[file] += seconds
            self.tests[f"{file}::{case.get('name')}"] += seconds


def costs(parts: list[Part], rows: int = 25, least: float = 1.0) -> str:
    """What files of ``least`` seconds or more and the dearest tests cost, the dearest first."""
    files = sorted(((s, f"{name} ({part.name})") for part in parts for name, s in part.files.items()), reverse=True)
    tests = sorted(((s, f"{name} ({part.name})") for part in parts for name, s in part.tests.items()), reverse=True)
    lines = ["── seconds by file, set-up included", *(f"{s:7.1f}  {name}" for s, name in files if s >= least)]
    return "\n".join([*lines, f"── the {rows} dearest tests", *(f"{s:7.1f}  {name}" for s, name in tests[:rows])])


if __name__ == "__main__":
    sys.exit(main())
