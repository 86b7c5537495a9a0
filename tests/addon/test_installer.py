"""Installing the backend into an environment of its own: real Python and real pip, with an index of stand-ins on disk."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import stand_ins
from paths import REPOSITORY

CPU_BYTES = 10_000_000


INSTALLER = REPOSITORY / "blender_addon" / "backend" / "installer"


def _load(*names: str) -> list[ModuleType]:
    """Modules of the installer as the program finds them, outside the extension."""
    sys.path.insert(0, str(INSTALLER.parent))
    try:
        return [importlib.import_module(f"installer.{name}") for name in names]
    finally:
        sys.path.remove(str(INSTALLER.parent))


builds, environment, errors, pythons, records = _load("builds", "environment", "errors", "pythons", "records")


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_ins.write_extension(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_ins.write_index(tmp_path_factory.mktemp("index") / "wheels", Path(sysconfig.get_paths()["purelib"]))


@pytest.fixture(autouse=True)
def offline(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture(scope="module")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python and pip, nothing else: what an installation begins with."""
    folder = tmp_path_factory.mktemp("environment") / "a"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder


@pytest.fixture
def begun(tmp_path: Path, empty_environment: Path) -> Path:
    """A folder in which an installation was interrupted early."""
    shutil.copytree(empty_environment, tmp_path / "backend" / "a", symlinks=True)
    return tmp_path / "backend"


def make(folder: Path, extension: Path, **changes: object):
    torch = builds.Torch("cpu", "+cpu", "", CPU_BYTES, CPU_BYTES, "as chosen")
    fields = {"torch": torch, "python": pythons.find_python(), "source": builds.source(extension)}
    return environment.Installer(folder, **{**fields, **changes})


def packages() -> set[str]:
    return {path.name for path in Path(sysconfig.get_paths()["purelib"]).iterdir()}


def test_a_backend_from_nothing(tmp_path: Path, extension: Path) -> None:
    before, lines, stages = packages(), [], []
    folder = tmp_path / "with a space" / "backend"
    assert records.state(folder, None) == "missing"
    record = make(folder, extension, say=lines.append, progress=lambda stage, at: stages.append((stage, at))).run()
    assert records.find(folder) == record and record.works
    assert records.state(folder, builds.source(extension)) == "installed"
    assert record.torch_build == "cpu" and record.device.startswith("cpu")
    assert [at for _, at in stages] == sorted(at for _, at in stages) and stages[-1] == ("Done", 1.0)
    assert any("Successfully installed" in line for line in lines)
    assert (folder / "install.log").read_text().splitlines() == [part for line in lines for part in line.splitlines()]
    assert not (folder / "cache").exists() and not (folder / "tmp").exists()
    said = subprocess.run([*record.command, "weights", "list", "--json"], capture_output=True, text=True)
    assert said.returncode == 0 and json.loads(said.stdout.splitlines()[0])["name"] == "sharp"
    where = subprocess.run(
        [record.command[0], "-I", "-c", "import image_to_3d; print(image_to_3d.__file__)"],
        capture_output=True,
        text=True,
    )
    assert Path(where.stdout).is_relative_to(folder)
    assert packages() == before, "something was installed into the Python that made the environment"
    records.remove(folder)
    assert not folder.exists() and records.state(folder, None) == "missing"


def test_cancelling_keeps_what_is_there_and_resuming_goes_on(begun: Path, extension: Path) -> None:
    assert records.state(begun, None) == "interrupted"
    made = (begun / "a" / "pyvenv.cfg").stat().st_mtime_ns
    heard: list[str] = []
    with pytest.raises(errors.InstallError, match="cancelled") as failure:
        make(begun, extension, say=heard.append, cancelled=lambda: any("torch" in line for line in heard)).run()
    assert failure.value.problem == "cancelled"
    assert records.state(begun, None) == "interrupted"
    assert make(begun, extension).run().environment == "a"
    assert (begun / "a" / "pyvenv.cfg").stat().st_mtime_ns == made, "the environment was made again"


def test_a_new_installation_replaces_the_old_one_only_when_it_is_complete(
    begun: Path, extension: Path, empty_environment: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, index: Path
) -> None:
    old = make(begun, extension).run()
    shutil.copytree(empty_environment, begun / "b", symlinks=True)
    lame = shutil.copytree(index, tmp_path / "lame")
    (lame / "numba-0.61-py3-none-any.whl").unlink()
    monkeypatch.setenv("PIP_FIND_LINKS", str(lame))
    with pytest.raises(errors.InstallError) as failure:
        make(begun, extension).run()
    assert failure.value.problem == "pip"
    assert failure.value.message == "pip could not install the backend: No matching distribution found for numba>=0.61."
    assert records.find(begun) == old and old.works
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    new = make(begun, extension).run()
    assert (old.environment, new.environment) == ("a", "b")
    assert records.find(begun) == new and not (begun / "a").exists()


def test_an_environment_of_another_python_is_made_again(begun: Path, extension: Path) -> None:
    """A person has chosen another Python after a first try."""
    work = make(begun, extension)
    python = records.interpreter(begun / "a")
    assert work._is_private(python, begun / "a")
    assert not work._is_private(Path(sys.executable), begun / "a"), "never the Python that runs this"
    for change in ({"version": "3.10.1"}, {"prefix": "/elsewhere"}):
        other = make(begun, extension, python=dataclasses.replace(work.python, **change))
        assert not other._is_private(python, begun / "a")


def test_packages_that_do_not_work_are_noticed(
    begun: Path, extension: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(stand_ins.write_index(tmp_path / "hollow", None)))
    with pytest.raises(errors.InstallError, match="does not start: ModuleNotFoundError: No module named 'torch'") as e:
        make(begun, extension).run()
    assert e.value.problem == "broken" and records.find(begun) is None


def test_no_network(begun: Path, extension: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(errors.InstallError) as failure:
        make(begun, extension).run()
    assert failure.value.problem == "network" and "Resume" in failure.value.hint


def test_no_room(tmp_path: Path, extension: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda _: SimpleNamespace(free=15_000_000))
    with pytest.raises(errors.InstallError, match=r"0\.0 GB are free where 0\.0 GB are needed") as failure:
        make(tmp_path / "backend", extension).run()
    assert failure.value.problem == "space"
    cached = tmp_path / "backend" / "cache" / "wheel"
    cached.parent.mkdir()
    cached.write_bytes(bytes(6_000_000))
    monkeypatch.setattr(environment.Installer, "_make", lambda self, started: "goes on")
    assert make(tmp_path / "backend", extension).run() == "goes on", "what is fetched need not be fetched again"


def test_only_one_installs_at_a_time(tmp_path: Path, extension: Path) -> None:
    folder = tmp_path / "backend"
    other = (
        f"import sys\nsys.path.insert(0, {str(INSTALLER.parent)!r})\nfrom installer.records import lock\n"
        f"from pathlib import Path\nwith lock(Path({str(folder)!r})): print('locked', flush=True); sys.stdin.readline()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", other], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == "locked\n"
        for attempt in (lambda: make(folder, extension).run(), lambda: records.remove(folder)):
            with pytest.raises(errors.InstallError, match="Another Blender is installing") as failure:
                attempt()
            assert failure.value.problem == "busy"
        child.kill()
    with records.lock(folder):
        pass  # the system gave it back


@pytest.mark.skipif(os.name == "nt", reason="descriptors are inherited by POSIX systems only")
def test_the_lock_outlives_a_crash_while_pip_still_runs(tmp_path: Path, extension: Path) -> None:
    folder = tmp_path / "backend"
    with records.lock(folder) as held:
        pip = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()])
    try:
        with pytest.raises(errors.InstallError, match="Another Blender"), records.lock(folder):
            pass
    finally:
        pip.communicate()
    with records.lock(folder):
        pass


def test_states(tmp_path: Path, extension: Path) -> None:
    folder, source = tmp_path, builds.source(extension)
    python = records.interpreter(folder / "a")
    python.parent.mkdir(parents=True)
    python.touch()
    stored = {
        "environment": "a",
        "version": "0.1.0",
        "digest": source.digest,
        "torch": "2",
        "torch_build": "cpu",
        "python": "3.11.2",
        "base": sys.executable,
    }

    def state(**changes: object) -> str:
        (folder / "installation.json").write_text(json.dumps({**stored, **changes}))
        return records.state(folder, source)

    assert state() == "installed"
    assert state(digest="another") == "outdated"
    assert state(base="/gone/with/blender/python3.13") == "broken"
    assert state(unknown=1) == "interrupted", "a record of a later version is none of ours"
    python.unlink()
    assert state() == "broken"


def test_the_build_of_torch_follows_the_machine() -> None:
    good, old = builds.Gpu("RTX"), builds.Gpu("GTX", "GTX is older than what CUDA 13 supports")

    def choice(*arguments: object) -> tuple[str, str, str]:
        torch = builds.choose_torch(*arguments)
        assert 0 < torch.download_bytes < torch.disk_bytes
        return torch.name, torch.suffix, torch.index.rpartition("/")[2]

    assert choice("auto", "Linux", None) == ("cpu", "+cpu", "cpu")
    assert choice("auto", "Linux", good) == ("cuda", "", "")
    assert choice("auto", "Linux", old) == ("cpu", "+cpu", "cpu")
    assert choice("cuda", "Linux", old) == ("cuda", "", "")
    assert choice("cpu", "Linux", good) == ("cpu", "+cpu", "cpu")
    assert choice("auto", "Windows", None) == ("cpu", "", "")
    assert choice("auto", "Windows", good) == ("cuda", "+cu130", "cu130")
    assert choice("auto", "Darwin", None) == choice("cuda", "Darwin", None) == ("mps", "", "")
    assert builds.choose_torch("auto", "Linux", old).why == old.problem


def test_what_nvidia_smi_says() -> None:
    assert builds.read_gpu("NVIDIA RTX 4090, 580.65.06, 8.9") == builds.Gpu("NVIDIA RTX 4090")
    assert "older than 580" in builds.read_gpu("NVIDIA RTX 4090, 550.1, 8.9").problem
    assert "CUDA 13" in builds.read_gpu("GeForce GTX 1080, 581.0, 6.1").problem
    assert builds.read_gpu("NVIDIA-SMI has failed because it couldn't communicate with the driver") is None


def test_a_python_that_fits() -> None:
    own = pythons.find_python()
    assert own.path == sys.executable and own.version.startswith("3.")
    assert pythons.find_python(preferred=sys.executable) == own
    with pytest.raises(errors.InstallError, match="/bin/false is not a Python") as failure:
        pythons.find_python(preferred="/bin/false")
    assert failure.value.problem == "python"
    assert pythons.find_python(own="/nowhere/python").path != "/nowhere/python"


def test_no_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pythons, "probe_python", lambda path: None)
    with pytest.raises(errors.InstallError, match=r"No Python 3\.10 to 3\.14") as failure:
        pythons.find_python()
    assert failure.value.problem == "python"


@pytest.mark.parametrize(
    ("said", "problem", "words"),
    [
        (["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"], "space", "full"),
        (
            ["WARNING: Retrying … getaddrinfo failed", "ERROR: No matching distribution found for torch"],
            "network",
            "index",
        ),
        (
            ["Collecting x", "ERROR: ResolutionImpossible: for help visit"],
            "pip",
            "ResolutionImpossible: for help visit",
        ),
        (["Traceback (most recent call last):", '  File "x"', "KeyError: 'x'", "WARNING: y"], "pip", "KeyError: 'x'"),
        ([], "pip", "it said nothing"),
    ],
)
def test_the_last_meaningful_line(said: list[str], problem: str, words: str) -> None:
    error = errors.explain("pip", said)
    assert error.problem == problem and words in error.message and error.hint


def test_an_incomplete_extension_is_named(tmp_path: Path) -> None:
    with pytest.raises(errors.InstallError, match="incomplete: it lacks the package"):
        builds.source(tmp_path)


def test_progress_is_that_of_pip(tmp_path: Path, extension: Path) -> None:
    said: list[tuple[str, float]] = []
    work = make(tmp_path, extension, progress=lambda *what: said.append(what))
    for line in ("Progress 1000000 of 2000000", "Progress 2000000 of 2000000", "Progress 3000000 of 90000000"):
        work._hear(line)
    assert [stage for stage, _ in said] == [f"Fetching {n} of about 10 MB" for n in (1, 2, 5)]
    assert said[-1][1] == pytest.approx(0.05 + 0.75 * 0.5)


def run_program(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, folder / "backend" / "installer", *arguments]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def test_the_command_that_the_panel_copies(begun: Path, extension: Path, tmp_path: Path) -> None:
    carried = shutil.copytree(extension, tmp_path / "extension")
    shutil.copytree(INSTALLER, carried / "backend" / "installer", ignore=shutil.ignore_patterns("__pycache__"))
    done = run_program("--folder", begun, "--torch", "cpu", folder=carried)
    if "enough room" not in done.stderr:  # it asks for what the real packages take
        assert done.returncode == 0, done.stderr
        assert records.state(begun, builds.source(extension)) == "installed"
    assert run_program("--folder", begun, "--remove", folder=carried).returncode == 0 and not begun.exists()
    failed = run_program("--folder", begun, "--python", "/bin/false", folder=carried)
    assert failed.returncode == 1 and failed.stderr.startswith("/bin/false is not a Python")


def test_nothing_is_left_running_after_a_cancel(tmp_path: Path, extension: Path) -> None:
    stop = threading.Event()
    pids: list[int] = []
    work = make(tmp_path, extension, cancelled=stop.is_set, say=_note_pid(pids, stop))
    (tmp_path / "tmp").mkdir()
    with pytest.raises(errors.InstallError, match="cancelled"):
        work._command([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"])
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def _note_pid(pids: list[int], stop: threading.Event) -> Callable[[str], None]:
    def note(line: str) -> None:
        if line.isdecimal():
            pids.append(int(line))
            stop.set()

    return note
