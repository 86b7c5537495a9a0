"""Who may connect."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_to_3d.core.errors import ImageTo3DError
from image_to_3d.protocol import keys
from image_to_3d.protocol.keys import AuthorisedClients, load_or_create


def test_files_are_read_when_they_change_and_not_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, friend = load_or_create("client", tmp_path).public, load_or_create("friend", tmp_path).public
    clients = AuthorisedClients(tmp_path)
    read: list[str] = []
    listed = AuthorisedClients.listed
    monkeypatch.setattr(keys, "load_or_create", lambda *_: read.append("own") or load_or_create("client", tmp_path))
    monkeypatch.setattr(AuthorisedClients, "listed", lambda self: read.append("others") or listed(self))
    for _ in range(100):
        assert clients.allows(own) and not clients.allows(friend)
    assert sorted(read) == ["others", "own"]


def test_changes_count_at_once(tmp_path: Path) -> None:
    friend = load_or_create("friend", tmp_path).public
    asked, changed = AuthorisedClients(tmp_path), AuthorisedClients(tmp_path)
    for _ in range(3):
        assert not asked.allows(friend)
        changed.add(friend, "a friend")
        assert asked.allows(friend)
        changed.revoke(friend)
    assert not asked.allows(friend)
    mine = load_or_create("client", tmp_path).public
    assert asked.allows(mine)
    (tmp_path / "client.key.json").unlink()
    assert not asked.allows(mine), "a new key was made in place of the one that was deleted"


def test_a_damaged_list_keeps_others_out_and_lets_this_account_in(tmp_path: Path) -> None:
    own = load_or_create("client", tmp_path).public
    (tmp_path / "authorised_clients.json").write_text("no JSON")
    clients = AuthorisedClients(tmp_path)
    assert clients.allows(own)
    for _ in range(2):
        with pytest.raises(ImageTo3DError, match="damaged"):
            clients.allows("x" * 40)
