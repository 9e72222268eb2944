"""The list of photos.

Adding, changing and removing them, and the effect of a damaged folder.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import tempfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from avatar_app import paths
from avatar_app.errors import PortraitError
from avatar_app.media.photo import read_portrait
from avatar_app.photos.library import Library, middle_box
from avatar_app.photos.lookup import find_photo
from avatar_app.types import Box, Image
from tests.support.photos import rough_picture, save

BOX = Box(60.5, 50.0, 80.0)


def picture(seed: int, width: int = 120, height: int = 100) -> Image:
    return rough_picture(seed, width, height)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for seed, name in enumerate(("anna", "marco")):
        save(tmp_path / "app" / f"{name}.png", picture(seed))
    return Library(tmp_path / "user", tmp_path / "app")


def names(library: Library) -> list[str]:
    return [entry.name for entry in library.entries()]


def again(library: Library) -> Library:
    """The library as the next start of the app finds it."""
    return Library(library.folder, library.bundled)


def test_photos_of_the_app_are_there_at_first(library: Library) -> None:
    assert [(entry.name, entry.bundled, entry.box, entry.key) for entry in library.entries()] == [
        ("Anna", True, None, 1),
        ("Marco", True, None, 2),
    ]
    assert not library.folder.exists(), "reading makes no folder"


def test_default_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path)
    assert paths.user_avatars() == tmp_path / "avatars"
    assert Library().folder == tmp_path / "avatars"
    assert {entry.name for entry in Library().entries()} >= {"Anna", "Marco"}


def test_added_photo_stays(library: Library, tmp_path: Path) -> None:
    photo = save(tmp_path / "from" / "my_old-friend.png", picture(7))
    entry = library.add(photo, box=BOX)
    assert (entry.name, entry.bundled, entry.box, entry.key) == ("My old friend", False, BOX, 3)
    photo.unlink()
    assert again(library).entries()[0] == entry
    assert np.abs(read_portrait(entry.path).astype(int) - picture(7)).mean() < 2
    origin = json.loads(entry.path.with_name(entry.path.name + ".json").read_text())["origin"]
    assert origin == "my_old-friend.png"


def test_same_picture_is_added_once(library: Library, tmp_path: Path) -> None:
    first = library.add(save(tmp_path / "one.png", picture(7)))
    assert library.add(save(tmp_path / "two.bmp", picture(7))) == first
    assert library.add(picture(7)) == first
    assert library.add(first.path) == first
    assert library.add(save(tmp_path / "copy of marco.png", picture(1))).name == "Marco"
    assert names(library) == ["One", "Anna", "Marco"]
    assert library.add(picture(8), "Aaron").key == 4, "the others keep their keys"


def test_same_picture_with_a_box_changes_the_box(library: Library) -> None:
    first = library.add(picture(7))
    assert library.add(picture(7), box=BOX).box == BOX
    assert library.find(first.path.name) == again(library).find(first.path.name)


def test_file_names_are_unique_whatever_the_name(library: Library) -> None:
    added = [
        "Anna",
        "anna",
        "ANNA",
        "???",
        "",
        "con",
        "../../etc/passwd",
        "Женя",
        "x" * 300,
        "tab\tand\nline",
    ]
    entries = [library.add(picture(seed, 130), name) for seed, name in enumerate(added)]
    files = [entry.path.name.casefold() for entry in entries]
    assert len(set(files) | {"anna.png"}) == len(added) + 1
    assert all(entry.path.parent == library.folder and entry.path.is_file() for entry in entries)
    assert entries[7].name == "Женя"
    assert entries[9].name == "tab and line"
    assert all(entry.name for entry in entries)
    assert again(library).entries() == library.entries()


def test_a_full_temporary_folder_is_said(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(tmp_path / "some.png", picture(9)).read_bytes()
    before = library.entries()

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(PortraitError, match="no space left on device"):
            library.add_bytes(data)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(PortraitError, match=r"gone.*no such file"):
        library.add_bytes(data)
    assert library.entries() == before


def test_pasted_bytes(library: Library, tmp_path: Path) -> None:
    data = save(tmp_path / "some.png", picture(9)).read_bytes()
    assert library.add_bytes(data, "Pasted").name == "Pasted"
    for wrong in (b"", b"no picture", data[: len(data) // 2]):
        with pytest.raises(PortraitError) as caught:
            library.add_bytes(wrong)
        assert str(tmp_path.parent.parent) not in str(caught.value), "names no temporary file"
        assert caught.value.hint
    assert len(library.entries()) == 3


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((100, 100), np.uint8), np.zeros((100, 100, 3), np.float32), np.zeros((30, 90, 3), np.uint8)],
)
def test_unusable_picture_is_refused(library: Library, wrong: Image) -> None:
    with pytest.raises(PortraitError) as caught:
        library.add(wrong)
    assert caught.value.hint
    assert len(library.entries()) == 2


def test_unusable_file_is_refused(library: Library, tmp_path: Path) -> None:
    for wrong in (tmp_path / "missing.jpg", tmp_path):
        with pytest.raises(PortraitError):
            library.add(wrong)
    assert not library.folder.exists()


def test_large_picture_is_reduced(library: Library) -> None:
    entry = library.add(np.zeros((1000, 4096, 3), np.uint8))
    with PIL.Image.open(entry.path) as stored:
        assert stored.size == (2048, 500)


@pytest.mark.parametrize("which", ["Anna", "Mine"])
def test_rename_and_crop(library: Library, which: str) -> None:
    library.add(picture(7), "Mine")
    entry = next(entry for entry in library.entries() if entry.name == which)
    renamed = library.rename(entry, "  Another\n name ")
    assert (renamed.name, renamed.path) == ("Another name", entry.path)
    assert library.set_box(renamed, BOX).box == BOX
    after = again(library).find(entry.path.name)
    assert after is not None
    assert (after.name, after.box, after.key) == ("Another name", BOX, entry.key)
    assert library.set_box(after, None).box is None
    with pytest.raises(PortraitError):
        library.rename(after, " \n")
    with pytest.raises(PortraitError):
        library.set_box(after, Box(float("nan"), 1, 10))


def test_remove(library: Library) -> None:
    mine = library.add(picture(7), "Mine")
    library.remove(mine)
    assert [path.name for path in library.folder.iterdir()] == ["index.json"]
    library.remove(library.entries()[0])
    assert names(again(library)) == ["Marco"]
    assert library.hidden() == 1
    assert (library.bundled / "anna.png").is_file()
    with pytest.raises(PortraitError, match="no longer"):
        library.rename(mine, "Ghost")
    library.remove(mine)


def test_hidden_photos_come_back(library: Library) -> None:
    library.rename(library.entries()[0], "Anne")
    for entry in library.entries():
        library.remove(entry)
    assert library.entries() == []
    assert library.add(picture(1)).name == "Marco", "adding the same picture shows it again"
    library.restore_bundled()
    assert sorted(names(again(library))) == ["Anne", "Marco"]
    assert library.hidden() == 0


def test_natural_order_and_lasting_keys(library: Library) -> None:
    for seed, name in enumerate([f"Photo {number}" for number in (10, 2, 1, 33, 3, 20, 21, 22, 23, 4)]):
        library.add(picture(seed, 140), name)
    added = [f"Photo {number}" for number in (4, 23, 22, 21, 20, 3, 33, 1, 2, 10)]
    assert names(library) == [*added, "Anna", "Marco"], "the newest first"
    keys = {entry.name: entry.key for entry in library.entries()}
    library.remove(next(entry for entry in library.entries() if entry.name == "Photo 2"))
    after = {entry.name: entry.key for entry in library.entries()}
    assert after == {**{name: key for name, key in keys.items() if name != "Photo 2"}, "Photo 4": 4}
    assert sorted(entry.key or 10 for entry in again(library).entries()) == [*range(1, 10), 10, 10]


def test_a_photo_is_moved_and_a_removed_one_comes_back(library: Library) -> None:
    mine = library.add(picture(9), "Mine", BOX)
    anna, marco = library.entries()[1:]
    library.move(mine, None)
    assert names(again(library)) == ["Anna", "Marco", "Mine"]
    library.move(marco, anna)
    assert names(library) == ["Marco", "Anna", "Mine"]
    for entry in library.entries():
        removed = library.remove(entry)
        assert library.find(entry.path.name) is None
        library.restore(removed)
        assert again(library).entries() == library.entries()
    assert names(library) == ["Marco", "Anna", "Mine"]


def test_without_keys_the_order_is_natural(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        save(tmp_path / f"p{number}.png", picture(number))
    library = Library(tmp_path, tmp_path / "none")
    assert names(library) == ["P1", "P2", "P10"]


def test_search(library: Library) -> None:
    library.add(picture(7), "Анна Каренина")
    assert [entry.name for entry in library.search("каренина анна")] == ["Анна Каренина"]
    assert [entry.name for entry in library.search(" MAR")] == ["Marco"]
    assert len(library.search("")) == 3
    assert library.search("nobody") == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"[1, 2]",
        b'"x"',
        b"{",
        b'{"name": 7, "box": [1, 2]}',
        b'{"name": "", "box": ["a", 0, 1]}',
        b'{"box": [NaN, 0, 1]}',
    ]
    + [
        b'{"box": [0, 0, 1' + b"0" * 400 + b"]}",
        b'{"box": [0, 0, 0]}',
        b'{"picture": 3, "name": null}',
        b"[" * 100_000,
    ],
)
def test_damaged_sidecar_or_index_hides_nothing(
    library: Library, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    entry = library.add(picture(7), "Mine", BOX)
    entry.path.with_name(entry.path.name + ".json").write_bytes(content)
    (library.folder / "index.json").write_bytes(content)
    library.reload()
    assert names(library) == ["Anna", "Marco", "Mine"]
    assert library.entries()[-1].box is None
    assert library.rename(library.entries()[-1], "Mended").name == "Mended"
    assert library.add(picture(8), "More").name == "More"


def test_photos_put_into_the_folder_by_hand(library: Library) -> None:
    save(library.folder / "by_hand.png", picture(7))
    (library.folder / "broken.jpg").write_bytes(b"no picture")
    (library.folder / ".hidden.jpg").write_bytes(b"no picture")
    (library.folder / "notes.txt").write_text("no photo")
    assert len(library.entries()) == 2
    library.reload()
    assert names(library) == ["Anna", "Marco", "Broken", "By hand"]
    assert library.add(picture(7)).name == "By hand"
    broken = library.find("broken.jpg")
    assert broken is not None
    with pytest.raises(PortraitError):
        library.thumbnail(broken, 32)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_folder_without_permission_is_named(library: Library) -> None:
    library.folder.mkdir(mode=0o500)
    with pytest.raises(PortraitError, match="permission"):
        library.add(picture(7))


def test_folder_that_is_a_file_is_named(library: Library) -> None:
    library.folder.write_text("in the way")
    library.reload()
    with pytest.raises(PortraitError, match="cannot write") as caught:
        library.add(picture(7))
    assert caught.value.hint
    with pytest.raises(PortraitError, match="cannot write"):
        library.remove(library.entries()[0])
    assert len(library.entries()) == 2


def test_failed_write_leaves_nothing(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    library.add(picture(6))
    before = sorted(path.name for path in library.folder.iterdir())
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if Path(target).suffix == ".jpg":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(PortraitError, match="no space left"):
        library.add(picture(7))
    assert sorted(path.name for path in library.folder.iterdir()) == before


def test_thumbnail_shows_the_crop_or_the_face(library: Library) -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    image[40:80, 200:240] = (250, 0, 0)
    entry = library.add(image, box=Box(219.5, 59.5, 40))
    small = library.thumbnail(entry, 32)
    assert small.shape == (32, 32, 3)
    assert small[4:28, 4:28, 0].min() > 200
    assert library.thumbnail(entry, 32) is small, "made once"
    free = library.set_box(entry, None)
    assert library.thumbnail(free, 32)[..., 0].mean() < 60, "without a face finder it is the middle"
    library.find_face = lambda _: (0, Box(219.5, 59.5, 40))
    assert library.thumbnail(free, 32)[4:28, 4:28, 0].min() > 200
    save(entry.path.with_suffix(".png"), np.full((200, 300, 3), 90, np.uint8)).replace(entry.path)
    assert np.abs(library.thumbnail(free, 32).astype(int) - 90).max() < 8, "made again when the file changes"


def test_middle_box_is_inside() -> None:
    for width, height in ((100, 300), (300, 100), (80, 80)):
        box = middle_box(np.zeros((height, width, 3), np.uint8))
        assert box.center_x - box.size / 2 >= -0.5 and box.center_x + box.size / 2 <= width - 0.5
        assert box.center_y - box.size / 2 >= -0.5 and box.center_y + box.size / 2 <= height - 0.5


def test_a_photo_is_found_by_its_name_its_path_or_anywhere(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    for path in (folder / "anna.png", tmp_path / "other.png"):
        PIL.Image.new("RGB", (96, 96)).save(path)
    library = Library(tmp_path / "user", folder)
    assert (
        find_photo("ANNA", library).path
        == find_photo(str(folder / "anna.png"), library).path
        == folder / "anna.png"
    )
    assert find_photo(str(tmp_path / "other.png"), library).path == tmp_path / "other.png"
    for text in ("nobody", "", "x" * 5000):
        with pytest.raises(PortraitError, match="neither as a file nor in the gallery") as raised:
            find_photo(text, library)
        assert "Anna" in raised.value.hint
