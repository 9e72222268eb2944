"""Unreadable files are kept aside before they are written again, and reports appear whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.files import LARGEST, keep_damaged, write_json
from avatar_app.gui.settings import Settings, load_settings, save_settings
from avatar_app.motion.calibration import NeutralStore
from avatar_app.photos.library import Library
from avatar_app.types import KeyPoints
from tests.media.test_video import disk_with


def pose(number: int) -> KeyPoints:
    return KeyPoints(np.full((10, 2), number / 100, np.float32))


@pytest.mark.parametrize("kind", ["too large", "a folder"])
def test_settings_that_cannot_be_read_are_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "settings.json"
    if kind == "a folder":
        path.mkdir()
        (path / "kept").touch()
    else:
        path.write_bytes(b'{"theme": "dark"}' + b" " * LARGEST)
    settings, said = load_settings(path)
    assert settings == Settings()
    assert "settings.json.bad" in said[0]
    save_settings(settings, path)
    bad = tmp_path / "settings.json.bad"
    assert (
        (bad / "kept").exists() if kind == "a folder" else bad.read_bytes().startswith(b'{"theme": "dark"}')
    )


@pytest.mark.parametrize("cut", [1, 5, 40, 120])
def test_neutral_poses_cut_short(tmp_path: Path, cut: int) -> None:
    """The complete ones are read, and the next calibration loses nothing."""
    path = tmp_path / "neutral-poses.json"
    store = NeutralStore(path)
    for number in range(4):
        store.put(f"photo {number}", pose(number))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    again = NeutralStore(path)
    assert again.get("photo 1") is not None and again.get("photo 2") is not None
    again.put("photo 9", pose(9))
    assert (tmp_path / "neutral-poses.json.bad").read_bytes() == whole[:-cut]
    last = NeutralStore(path)
    assert all(last.get(f"photo {number}") is not None for number in (0, 1, 2, 9))


@pytest.mark.parametrize("content", [b"{", b"[1, 2]", b"\xff\xfe", b""])
def test_the_librarys_index_is_kept(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "user"
    library = Library(folder, tmp_path / "none")
    entry = library.add(np.full((80, 80, 3), 90, np.uint8), "One")
    (folder / "index.json").write_bytes(content)
    sidecar = entry.path.with_name(entry.path.name + ".json")
    sidecar.write_bytes(content)
    library.reload()
    library.rename(library.entries()[0], "Two")
    assert sidecar.with_name(sidecar.name + ".bad").read_bytes() == content
    assert json.loads(sidecar.read_text())["name"] == "Two"
    assert (folder / "index.json.bad").read_bytes() == content


def test_good_and_missing_files_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    keep_damaged(path)
    path.write_text('{"a": 1}')
    keep_damaged(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_report_on_a_full_disk_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"a": 1})
    assert path.stat().st_mode & 0o044, "others may read a report, as any file of the user's"
    with disk_with(10), pytest.raises(OutputError, match="cannot be written"):
        write_json(path, {"a": "b" * 100})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]
