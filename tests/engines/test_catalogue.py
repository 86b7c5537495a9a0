"""What is known of an engine stands once: one row more is an engine more, everywhere."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from image_to_3d import catalogue
from image_to_3d.catalogue import ENGINES, EngineInfo, automatic_order, owner_of_checkpoint, scale_sd
from image_to_3d.cli import build_parser, main
from image_to_3d.engines import registry
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.pool import EnginePool
from image_to_3d.server.introduction import auto_engine, engine_messages

ENGINE = '''
"""An engine that lives in one folder."""
import numpy as np
from image_to_3d.catalogue import ENGINES
from image_to_3d.core import Provenance
from image_to_3d.core.cloud.lifting import lift
from image_to_3d.engines.base import Prediction, no_progress

class FlatEngine:
    info = ENGINES["flat"]

    def __init__(self, options=None):
        pass

    def predict(self, photo, depth=None, progress=no_progress):
        z = np.full((photo.height, photo.width), 2.0, np.float32)
        return Prediction(lift(photo.pixels, z, photo.intrinsics, provenance=Provenance("flat", photo=photo.name)))

    def unload(self):
        pass
'''


@pytest.fixture
def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineInfo:
    """A new engine: one folder and one row."""
    folder = tmp_path / "flat_engine"
    folder.mkdir()
    (folder / "__init__.py").write_text(ENGINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    info = EngineInfo(
        "flat",
        "a wall two metres away",
        True,
        implementation="flat_engine:FlatEngine",
        title="Flat",
        description="Everything is two metres away",
        rights="Free to use",
        scale_sd=0.2,
        automatic=1000,
        number=max(info.number for info in ENGINES.values()) + 1,
    )
    monkeypatch.setitem(ENGINES, "flat", info)
    monkeypatch.delitem(sys.modules, "flat_engine", raising=False)
    return info


def test_a_new_engine_is_one_folder_and_one_row(flat: EngineInfo, sample: Path, tmp_path: Path, capsys) -> None:
    assert "flat" in [state.info.name for state in registry.engine_states()]
    assert registry.resolve("auto") == "flat" and registry.resolve("auto", has_depth=True) == "depth-map"
    assert registry.create_engine("flat", EngineOptions()).info is flat
    assert scale_sd("flat", True) == 0.2
    pool = EnginePool()
    said = next(state for state in engine_messages(pool) if state.name == "flat")
    assert (said.title, said.rights, said.state) == ("Flat", "Free to use", "ready")
    assert auto_engine(pool, has_depth=False) == "flat" and auto_engine(pool, has_depth=True) == "depth-map"
    with pytest.raises(SystemExit):
        build_parser().parse_args(["predict", "--help"])
    assert "flat" in capsys.readouterr().out
    assert main(["predict", str(sample / "photo.jpg"), "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["engine"] == "flat"


def test_every_row_is_complete_and_its_class_exists() -> None:
    for name, info in ENGINES.items():
        assert name == info.name and info.summary and info.licence and info.title and info.description and info.rights
        assert info.stages and set(info.stages) <= set(catalogue.STAGES)
        module, _, cls = info.implementation.partition(":")
        assert getattr(__import__(module, fromlist=[cls]), cls).info is info


def test_numbers_of_menu_entries_are_those_that_files_hold() -> None:
    assert {name: info.number for name, info in ENGINES.items()} == {
        "sharp": 1,
        "depth-map": 2,
        "lite": 3,
        "midas-small": 4,
        "dpt-large": 5,
    }


def test_automatic_takes_the_best_and_a_checkpoint_belongs_to_one() -> None:
    assert [info.name for info in automatic_order(False)] == ["sharp", "lite"]
    assert [info.name for info in automatic_order(True)] == ["depth-map"]
    assert owner_of_checkpoint("auto") == "sharp" and owner_of_checkpoint("dpt-large") == "dpt-large"


def test_what_to_recommend_to_whom() -> None:
    better = catalogue.better_engine("lite")
    assert better is not None and better.name == "sharp"
    assert all(catalogue.better_engine(name) is None for name in ("sharp", "depth-map", "dpt-large", "from elsewhere"))


def test_scales_of_engines_that_are_not_known_here() -> None:
    assert scale_sd("from elsewhere", True) == 0.10 and scale_sd("sharp", False) == 0.50


def test_the_catalogue_is_data_only() -> None:
    code = (
        "import sys, image_to_3d.catalogue, image_to_3d.file_kinds; "
        "assert not {'numpy', 'torch', 'PIL'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
