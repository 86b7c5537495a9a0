"""Chinese inside Blender. The bpy module is built without languages, so what Blender would look up is read from the tables."""

from __future__ import annotations

from itertools import pairwise

import pytest

bpy = pytest.importorskip("bpy", reason="needs the bpy module of a real Blender")

CHINESE = "zh_hans"


@pytest.fixture
def chinese(addon, monkeypatch):
    """The interface speaks Chinese: only the look-up of a word is exchanged."""
    words = addon.translations.zh_hans.words()
    monkeypatch.setattr(addon.translations, "word", lambda text: words.get(text, text))
    return addon.translations


def rna_words(cls: type) -> set[str]:
    """What Blender shows of a registered class and its properties."""
    rna = cls.bl_rna
    words = {rna.name, rna.description} if issubclass(cls, bpy.types.Operator) else set()
    own = [p for p in rna.properties if p.identifier in getattr(cls, "__annotations__", {})]
    for prop in own:
        words |= {prop.name, prop.description}
        if prop.type == "ENUM":
            words |= {word for item in prop.enum_items_static for word in (item.name, item.description)}
    return {word for word in words if any(a.isalpha() and b.isalpha() for a, b in pairwise(word))}


def registered(addon) -> list[type]:
    bases = (bpy.types.Operator, bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    found = [cls for base in bases for cls in base.__subclasses__() if cls.__module__.startswith(addon.__name__)]
    return [cls for cls in found if getattr(cls, "is_registered", True) and hasattr(cls, "bl_rna")]


def test_every_word_that_blender_registered_is_translated(addon) -> None:
    words = addon.translations.zh_hans.words()
    classes = registered(addon)
    assert len(classes) > 10
    # A property without a name shows its identifier, and only scripts see it; files are a list that browsers fill.
    missing = {
        word: cls.__name__
        for cls in classes
        for word in rna_words(cls)
        if word not in words and not word.isidentifier() and word not in {"Filter Glob"}
    }
    assert not missing, missing


def test_a_template_is_translated_and_then_filled(chinese) -> None:
    from image_to_3d.core.errors import ErrorCode, ImageTo3DError

    error = ImageTo3DError(ErrorCode.BUSY, "backend.busy", count=64)
    assert chinese.words_of(error) == ("后端繁忙：有 64 张照片在等待。", "请几分钟后再试。")
    assert chinese.sentence("Nobody has translated this.") == "Nobody has translated this."


def test_a_cause_is_translated_too(chinese) -> None:
    from image_to_3d.core.errors import ErrorCode, ImageTo3DError, Notice

    cause = ImageTo3DError(ErrorCode.BAD_REQUEST, "measuring.region_too_few_corners")
    notice = Notice("measuring.levelling_lost", why=cause)
    assert chinese.sentence(notice) == "照片无法再次调平，保持原样：区域至少需要三个角点。"


def test_a_stored_warning_is_read_in_the_language_of_who_opens_the_file(addon, monkeypatch) -> None:
    from image_to_3d.core.errors import Notice, notice_fields

    warning = Notice("depth.partly_unknown", share=0.5)
    line = addon.translations.stored(str(warning), notice_fields(warning))
    assert len(line.splitlines()) == 1 and addon.translations.sentence(line) == str(warning)
    assert addon.translations.stored("An old\nwarning") == "An old warning"
    newer = addon.translations.stored("Something newer.", {"key": "future.key", "values": {"x": 1}})
    assert addon.translations.sentence(newer) == "Something newer."
    words = addon.translations.zh_hans.words()
    monkeypatch.setattr(addon.translations, "word", lambda text: words.get(text, text))
    assert addon.translations.sentence(line) == "深度图有 50% 未知；那里没有点。"


def test_every_stage_of_the_backend_is_translated(addon, chinese) -> None:
    from image_to_3d.catalogue import STAGES

    assert addon.photos.job.stage_text("waiting", 2) == "Waiting, 2 before this"
    assert addon.photos.job.stage_text("building gsplat on the GPU") == "Building gsplat on the GPU"
    for stage in ("load", "decode", "preprocess", "network", "postprocess", "lift", "pack", "waiting"):
        assert addon.photos.job.stage_text(stage) in {*STAGES.values(), *chinese.zh_hans.words().values()}


def test_sentences_stay_english_in_an_english_interface(addon) -> None:
    assert addon.translations.sentence("No photo is chosen.") == "No photo is chosen."


@pytest.mark.parametrize(
    "text",
    [
        "请重新选择照片，然后再按一次更新按钮。",
        "Choose the photo again, then press Update once more.",
        "短 mixed 文字 and words",
    ],
)
def test_wrapping_loses_nothing_and_fits(addon, text: str) -> None:
    rows = addon.ui.widgets.wrapped(text, 20)
    assert "".join(rows).replace(" ", "") == text.replace(" ", "")
    assert all(sum(1 + (letter > "\u2e80") for letter in row) <= 22 for row in rows)
    assert not any(row[0] in "，。" for row in rows)


def test_the_tables_reach_blender_and_leave_it(addon, monkeypatch) -> None:
    calls = []
    fake = type("T", (), {"register": lambda self, name, t: calls.append(t), "unregister": lambda self, name: None})()
    monkeypatch.setattr(addon.translations, "bpy", type("B", (), {"app": type("A", (), {"translations": fake})}))
    addon.translations.on_register()
    (tables,) = calls
    assert set(tables) == {"zh_HANS", "zh_CN"}
    for table in tables.values():
        assert table[("Operator", "Cancel")] == table[("*", "Cancel")] == "取消"
