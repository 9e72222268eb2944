"""Faces found in photos are remembered over starts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from avatar_app.photos import found_faces
from avatar_app.photos.found_faces import FoundFaces
from avatar_app.types import Box, Image


class Finder:
    """Finds a face in the middle of photos that are not black."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, image: Image) -> tuple[int, Box] | None:
        self.calls += 1
        return (1, Box(30.5, 20.25, 40.0)) if image.any() else None


@pytest.fixture
def networks(tmp_path: Path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_text("first")
    return path


def photo(value: int) -> Image:
    return np.full((40, 60, 3), value, np.uint8)


def test_next_start_knows_the_face(tmp_path: Path, networks: Path) -> None:
    path, find = tmp_path / "cache" / "faces.json", Finder()
    first = FoundFaces(path, networks).of(photo(1), find)
    assert FoundFaces(path, networks).of(photo(1), find) == first == (1, Box(30.5, 20.25, 40.0))
    assert find.calls == 1
    FoundFaces(path, networks).of(photo(2), find)
    assert find.calls == 2, "another photo"
    networks.write_text("second")
    FoundFaces(path, networks).of(photo(1), find)
    assert find.calls == 3, "other networks may find another place"


def test_a_photo_without_a_face_is_looked_at_again(tmp_path: Path, networks: Path) -> None:
    """The networks may have been missing."""
    known, find = FoundFaces(tmp_path / "faces.json", networks), Finder()
    assert known.of(photo(0), find) is None
    assert known.of(photo(0), find) is None
    assert find.calls == 2


@pytest.mark.parametrize("damage", ["{", "[]", "no file", "wrong values"])
def test_damaged_file_is_as_none(tmp_path: Path, networks: Path, damage: str) -> None:
    path, find = tmp_path / "faces.json", Finder()
    found = FoundFaces(path, networks).of(photo(1), find)
    if damage == "wrong values":
        stored = json.loads(path.read_bytes())
        stored["faces"] = {digest: {"turn": 7, "box": ["x"]} for digest in stored["faces"]}
        path.write_text(json.dumps(stored))
    elif damage == "no file":
        path.unlink()
        path.mkdir()
    else:
        path.write_text(damage)
    assert FoundFaces(path, networks).of(photo(1), find) == found
    assert find.calls == 2


def test_oldest_photos_are_forgotten(tmp_path: Path, networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_faces, "MOST", 2)
    path, find = tmp_path / "faces.json", Finder()
    for value in (1, 2, 3):
        FoundFaces(path, networks).of(photo(value), find)
    assert len(json.loads(path.read_bytes())["faces"]) == 2
    FoundFaces(path, networks).of(photo(3), find)
    assert find.calls == 3
