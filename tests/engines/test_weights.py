"""Weights: consent, downloads that break off, files that are not what they should be. A local server plays the internet."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch

from image_to_3d.cli import main
from image_to_3d.core.errors import ErrorCode, ImageTo3DError
from image_to_3d.engines import registry, weights
from image_to_3d.engines.base import EngineOptions
from image_to_3d.engines.sharp import state_dict
from sharp_recipe import MICRO, make_state_dict, write_checkpoint


@dataclass
class Server:
    """What the server holds, how it misbehaves, and what it was asked for."""

    body: bytes
    tag: str = '"one"'
    url: str = ""
    status: int = 200
    breaks_after: int | None = None
    ranges: bool = True
    asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with a small SHARP checkpoint, in place of the published one."""
    served = Server(write_checkpoint(tmp_path / "served.pt").read_bytes())

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            if served.status != 200:
                self.send_error(served.status)
                return
            start = 0
            if served.ranges and wanted and self.headers.get("If-Range") == served.tag:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            body = served.body[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", served.tag)
            self.end_headers()
            stop = len(body) if served.breaks_after is None else served.breaks_after
            self.wfile.write(body[:stop])
            self.close_connection = stop < len(body)

    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.handle_error = lambda request, address: None  # type: ignore[method-assign]  # clients hang up on purpose here
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    served.url = f"http://127.0.0.1:{listening.server_port}/sharp.pt"
    monkeypatch.setitem(weights.WEIGHTS, "sharp", replace(weights.WEIGHTS["sharp"], url=served.url, size=1000))
    monkeypatch.setattr(state_dict, "PUBLISHED", MICRO)
    monkeypatch.setattr(weights.download.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield served
    listening.shutdown()
    listening.server_close()


@pytest.fixture(autouse=True)
def no_torch_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("IMAGE_TO_3D_SHARP_CHECKPOINT", raising=False)
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.fixture
def consent() -> None:
    weights.record_consent(weights.WEIGHTS["sharp"])


def error_of(function: object, *args: object) -> ImageTo3DError:
    with pytest.raises(ImageTo3DError) as caught:
        function(*args)  # type: ignore[operator]
    return caught.value


def target() -> Path:
    return weights.folder() / "sharp_2572gikvuh.pt"


def test_nothing_is_fetched_without_consent(server: Server) -> None:
    assert error_of(weights.fetch, "sharp").code is ErrorCode.LICENCE_NOT_ACCEPTED
    assert main(["weights", "fetch", "sharp"]) == 3  # standard input of a test is no terminal: nobody can type yes
    assert server.asked == []


def test_consent_is_recorded_with_the_date_and_a_hash_of_the_terms(server: Server, private_home: Path) -> None:
    assert main(["weights", "fetch", "sharp", "--accept-licence"]) == 0
    record = json.loads((private_home / "config" / "licences.json").read_text())["sharp"]
    assert record["terms_sha256"] == weights.WEIGHTS["sharp"].licence.digest
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["date"])


@pytest.mark.parametrize("typed, code", [("yes\n", 0), ("no\n", 3), ("y\n", 3), ("", 3)])
def test_consent_is_the_typed_word_yes(server: Server, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return typed

    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["weights", "fetch", "sharp"]) == code
    assert target().exists() == (code == 0)


def test_consent_to_other_terms_is_none(consent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    file = weights.WEIGHTS["sharp"]
    assert not weights.needs_consent(file)
    assert weights.needs_consent(replace(file, licence=replace(file.licence, terms="other terms")))


def test_terms_are_shown_before_anything_is_asked(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    main(["weights", "fetch", "sharp"])
    shown = capsys.readouterr().err
    assert "non-commercial" in shown and "redistribut" not in shown and weights.WEIGHTS["sharp"].licence.url in shown


def test_a_fetched_file_is_whole_checked_and_hashed(server: Server, consent: None) -> None:
    seen: list[tuple[int, int]] = []
    path = weights.fetch("sharp", lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == server.body
    assert seen[-1] == (len(server.body), len(server.body))
    assert weights.recorded(weights.WEIGHTS["sharp"]).sha256 == hashlib.sha256(server.body).hexdigest()
    assert [p.name for p in weights.folder().iterdir() if "part" in p.name] == []
    assert weights.state("sharp") == ("ready", "")


def test_a_broken_download_goes_on_where_it_stopped(server: Server, consent: None) -> None:
    server.breaks_after = len(server.body) // 3
    path = weights.fetch("sharp")
    assert path.read_bytes() == server.body
    third = len(server.body) // 3
    assert server.asked == [None, f"bytes={third}-", f"bytes={2 * third}-", f"bytes={3 * third}-"]


def test_an_interrupted_download_is_resumed_by_the_next_command(server: Server, consent: None) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.fetch("sharp", interrupt)
    server.breaks_after = 1000
    assert error_of(weights.fetch, "sharp").code is ErrorCode.WEIGHTS_MISSING
    assert not target().exists()
    server.breaks_after = None
    assert weights.fetch("sharp").read_bytes() == server.body
    assert server.asked[-1] is not None


def test_a_file_that_changed_on_the_server_is_fetched_anew(server: Server, consent: None) -> None:
    server.breaks_after = 10
    error_of(weights.fetch, "sharp")
    server.breaks_after, server.tag = None, '"two"'
    assert weights.fetch("sharp").read_bytes() == server.body


def test_a_server_without_ranges_works_too(server: Server, consent: None) -> None:
    server.breaks_after, server.ranges = 10, False
    error_of(weights.fetch, "sharp")
    server.breaks_after = None
    assert weights.fetch("sharp").read_bytes() == server.body


@pytest.mark.parametrize("body", [b"<html>not here</html>", b"PK\x03\x04 damaged", b""])
def test_wrong_content_is_thrown_away(server: Server, consent: None, body: bytes) -> None:
    server.body = body
    error = error_of(weights.fetch, "sharp")
    assert error.code is ErrorCode.WEIGHTS_MISSING and "127.0.0.1" in error.message
    assert not target().exists() and not target().with_name(target().name + ".part").exists()


def test_another_network_is_refused_by_name_of_its_tensors(server: Server, consent: None, tmp_path: Path) -> None:
    tensors = make_state_dict(MICRO)
    tensors["prediction_head.geometry_prediction_head.bias"] = torch.zeros(7)
    del tensors["feature_model.fusion.out_conv.bias"]
    torch.save(tensors, tmp_path / "other.pt")
    server.body = (tmp_path / "other.pt").read_bytes()
    message = error_of(weights.fetch, "sharp").message
    assert "feature_model.fusion.out_conv.bias" in message and "geometry_prediction_head.bias (7,)" in message


def test_a_missing_file_on_the_server_is_said(server: Server, consent: None) -> None:
    server.status = 404
    error = error_of(weights.fetch, "sharp")
    assert "404" in error.message and str(weights.folder()) in error.hint


def test_being_offline_is_said(consent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    file = replace(weights.WEIGHTS["sharp"], url="http://127.0.0.1:1/sharp.pt")
    monkeypatch.setitem(weights.WEIGHTS, "sharp", file)
    assert "cannot be reached" in error_of(weights.fetch, "sharp").message


def test_a_full_disk_is_said_before_it_is_full(server: Server, consent: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights.download, "_SPARE_BYTES", 10**18)
    assert "GB left" in error_of(weights.fetch, "sharp").message


def test_a_file_in_a_folder_is_not_used_before_consent(no_torch_hub: Path, server: Server) -> None:
    no_torch_hub.mkdir(parents=True)
    write_checkpoint(no_torch_hub / "sharp_2572gikvuh.pt")
    assert weights.state("sharp")[0] == "licence_not_accepted"
    assert error_of(weights.require, "sharp").code is ErrorCode.LICENCE_NOT_ACCEPTED
    assert registry.resolve("auto") == "lite"
    assert main(["weights", "fetch", "sharp", "--accept-licence"]) == 0
    assert server.asked == []  # it was there already
    assert weights.require("sharp").origin == "torch hub"
    assert registry.resolve("auto") == "sharp"


def test_a_file_that_changed_since_its_first_use_is_refused(server: Server, consent: None) -> None:
    path = weights.fetch("sharp")
    assert weights.require("sharp").path == path
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "SHA-256" in error_of(weights.require, "sharp").message
    assert main(["weights", "verify", "sharp"]) == 3


def test_a_named_file_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = write_checkpoint(tmp_path / "mine.pt"), write_checkpoint(tmp_path / "other.pt")
    monkeypatch.setenv("IMAGE_TO_3D_SHARP_CHECKPOINT", str(other))
    assert weights.require("sharp", mine) == weights.Found(mine, "given")
    assert weights.require("sharp") == weights.Found(other, "environment")
    monkeypatch.setenv("IMAGE_TO_3D_SHARP_CHECKPOINT", str(tmp_path / "absent.pt"))
    assert "IMAGE_TO_3D_SHARP_CHECKPOINT" in error_of(weights.require, "sharp").message


def test_path_list_and_remove(server: Server, consent: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "path", "sharp"]) == 3
    weights.fetch("sharp")
    capsys.readouterr()
    assert main(["weights", "path", "sharp"]) == 0
    assert capsys.readouterr().out.strip() == str(target())
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert rows["sharp"]["state"] == "ready" and rows["sharp"]["accepted"]
    assert rows["dpt-large"]["licence"] == "MIT" and rows["midas-small"]["state"] == "weights_missing"
    assert main(["weights", "remove", "sharp"]) == 0
    assert not target().exists() and weights.recorded(weights.WEIGHTS["sharp"]) is None


def test_engine_states_tell_what_to_do(tmp_path: Path) -> None:
    states = {entry.info.name: entry for entry in registry.engine_states()}
    assert states["sharp"].state == "weights_missing" and "weights fetch sharp" in states["sharp"].note
    assert states["depth-map"].state == "ready"
    given = str(write_checkpoint(tmp_path / "mine.pt"))
    assert {e.info.name: e.state for e in registry.engine_states(given)}["sharp"] == "ready"
    assert registry.resolve("auto", checkpoint=given) == "sharp"
    assert registry.create_engine("sharp", EngineOptions("cpu", checkpoint=given)).info.name == "sharp"
