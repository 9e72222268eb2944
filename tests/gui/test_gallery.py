"""Choosing, adding, changing and removing photos in the gallery, by mouse, keyboard, drop and paste."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QFont, QFontMetrics, QGuiApplication, QImage, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from pytestqt.qtbot import QtBot

from avatar_app.errors import PortraitError
from avatar_app.gui.dialogs.crop_editor import CropEditor
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.gallery.model import CHOSEN
from avatar_app.gui.gallery.search_field import MANY
from avatar_app.gui.gallery.tile import first_fitting
from avatar_app.gui.pictures import to_qimage
from avatar_app.photos.library import Entry, Library
from avatar_app.types import Box, Image
from tests.gui.windows import drop_on
from tests.support.photos import rough_picture, save

DECORATION = Qt.ItemDataRole.DecorationRole


def picture(seed: int, width: int = 96, height: int = 80) -> Image:
    return rough_picture(seed, width, height)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    for seed, name in enumerate(("anna", "marco", "zola")):
        save(tmp_path / "app" / f"{name}.png", picture(seed))
    return Library(tmp_path / "user", tmp_path / "app", lambda _: (0, Box(40, 40, 60)))


class Heard:
    """The gallery's messages."""

    def __init__(self, gallery: Gallery) -> None:
        self.chosen: list[str] = []
        self.problems: list[tuple[str, str]] = []
        self.entries: list[Entry] = []
        gallery.chosen.connect(self._chosen)
        gallery.problem.connect(lambda message, hint: self.problems.append((message, hint)))

    def _chosen(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.chosen.append(entry.name)


@pytest.fixture
def gallery(library: Library, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    monkeypatch.setattr(FaceFit, "face", lambda *_: (0, Box(40, 40, 60)))
    widget = Gallery(library)
    qtbot.addWidget(widget)
    widget.resize(420, 500)
    widget.show()
    yield widget
    widget.stop()


@pytest.fixture
def heard(gallery: Gallery) -> Heard:
    return Heard(gallery)


def shown(gallery: Gallery) -> list[str]:
    return [entry.name for entry in gallery._model.entries]


def click(qtbot: QtBot, gallery: Gallery, row: int) -> None:
    view = gallery._view
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(gallery._model.index(row)).center()
    )


def drop(gallery: Gallery, mime: QMimeData) -> None:
    drop_on(gallery, mime)


def files(*paths: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def test_a_new_strip_is_one_row_that_scrolls_sideways(gallery: Gallery) -> None:
    gallery.resize(160, 120)
    view = gallery._view
    tiles = [view.visualRect(view.model().index(row, 0)) for row in range(view.model().rowCount())]
    assert len({tile.top() for tile in tiles}) == 1
    assert view.horizontalScrollBar().maximum() > 0


def test_a_click_chooses(gallery: Gallery, heard: Heard, qtbot: QtBot) -> None:
    click(qtbot, gallery, 1)
    assert heard.chosen == ["Marco"]
    assert gallery.entry is not None and gallery.entry.name == "Marco"


def test_numbers_next_previous_random(gallery: Gallery, heard: Heard) -> None:
    assert gallery.choose_number(3)
    assert not gallery.choose_number(8)
    assert gallery.next() and gallery.previous()
    assert heard.chosen == ["Zola", "Anna", "Zola"]
    for _ in range(8):
        before = heard.chosen[-1]
        assert gallery.random()
        assert heard.chosen[-1] != before


def test_select_by_path_or_file_name(gallery: Gallery, heard: Heard, library: Library) -> None:
    assert gallery.select("marco.png")
    assert gallery.select(library.entries()[0].path)
    assert not gallery.select("nobody.png")
    assert heard.chosen == ["Marco", "Anna"]


def test_keyboard_alone(gallery: Gallery, heard: Heard, qtbot: QtBot) -> None:
    gallery.select("anna.png")
    view = gallery._view
    QTest.keyClick(view, Qt.Key.Key_Right)
    assert heard.chosen == ["Anna"], "the cursor moves without choosing"
    QTest.keyClick(view, Qt.Key.Key_Return)
    QTest.keyClick(view, Qt.Key.Key_3)
    assert heard.chosen == ["Anna", "Marco", "Zola"]
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert shown(gallery) == ["Anna", "Marco"]
    assert heard.chosen[-1] == "Marco", "the neighbour takes over"


def test_rename_in_place(gallery: Gallery, heard: Heard, qtbot: QtBot, library: Library) -> None:
    gallery.select("anna.png")
    QTest.keyClick(gallery._view, Qt.Key.Key_F2)
    editor = gallery._view.findChild(QLineEdit)
    assert isinstance(editor, QLineEdit)
    QTest.keyClicks(editor, "Hannah 1")
    gallery._view.dataChanged(gallery._model.index(0), gallery._model.index(0))
    QTest.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: library.entries()[0].name == "Hannah 1")
    assert heard.chosen == ["Anna"], "another name is no other avatar"
    assert not heard.problems


def test_dropped_file_is_added_and_chosen(
    gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(gallery.chosen):
        drop(gallery, files(save(tmp_path / "in" / "friend.png", picture(9))))
    assert heard.chosen == ["Friend"]
    assert shown(gallery) == ["Friend", "Anna", "Marco", "Zola"]
    assert not heard.problems


def test_dropped_folder_adds_its_photos(gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "in" / f"{number}.png", picture(20 + number))
    (tmp_path / "in" / "notes.txt").write_text("no photo")
    drop(gallery, files(tmp_path / "in"))
    qtbot.waitUntil(lambda: len(shown(gallery)) == 6)
    assert heard.chosen == [] and heard.problems == []


def test_unusable_files_are_named_and_the_others_added(
    gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    good = save(tmp_path / "good.png", picture(9))
    with qtbot.waitSignal(gallery.problem):
        gallery.add_files([bad, tmp_path / "missing.jpg", good])
    assert shown(gallery)[0] == "Good"
    assert heard.problems[0][0].startswith("2 photos") and str(bad) in heard.problems[0][0]
    with qtbot.waitSignal(gallery.problem):
        gallery.add_files([bad])
    assert str(bad) in heard.problems[1][0] and heard.problems[1][1]
    (tmp_path / "empty").mkdir()
    gallery.add_files([tmp_path / "empty"])
    assert "empty" in heard.problems[2][0]


def test_photo_without_a_face_is_added_with_a_word(
    gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FaceFit, "face", lambda *_: None)
    with qtbot.waitSignal(gallery.problem):
        gallery.add_files([save(tmp_path / "wall.png", picture(9))])
    assert "No face" in heard.problems[0][0] and "Wall" in heard.problems[0][0]
    assert shown(gallery)[0] == "Wall"


def test_paste_a_picture_a_file_and_a_path(
    gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path
) -> None:
    clipboard = QGuiApplication.clipboard()
    clipboard.setImage(to_qimage(picture(30)))
    with qtbot.waitSignal(gallery.chosen):
        QTest.keyClick(gallery._view, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    clipboard.setMimeData(files(save(tmp_path / "copied.png", picture(31))))
    with qtbot.waitSignal(gallery.chosen):
        gallery.paste()
    clipboard.setText(f'"{save(tmp_path / "by path.png", picture(32))}"')
    with qtbot.waitSignal(gallery.chosen):
        gallery.paste()
    assert heard.chosen == ["Pasted photo", "Copied", "By path"]
    clipboard.setText("hello")
    gallery.paste()
    clipboard.clear()
    gallery.paste()
    assert [message for message, _ in heard.problems] == ["There is no picture in the clipboard."] * 2


def test_pasted_picture_is_stored_as_it_was(gallery: Gallery, qtbot: QtBot, library: Library) -> None:
    image = picture(30)
    QGuiApplication.clipboard().setImage(to_qimage(image))
    with qtbot.waitSignal(gallery.chosen):
        gallery.paste()
    assert library.add(image) == gallery.entry


def test_plus_tile_opens_a_file_dialog(gallery: Gallery, heard: Heard, qtbot: QtBot, tmp_path: Path) -> None:
    photo = save(tmp_path / "in" / "from dialog.png", picture(33))
    click(qtbot, gallery, 3)
    dialog = gallery.findChild(QFileDialog)
    assert isinstance(dialog, QFileDialog) and dialog.isVisible()
    dialog.setDirectory(str(photo.parent))
    dialog.selectFile(str(photo))
    with qtbot.waitSignal(gallery.chosen):
        dialog.accept()
    assert heard.chosen == ["From dialog"]


def test_picture_of_a_web_page_is_not_fetched(gallery: Gallery, heard: Heard) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl("https://example.org/face.jpg")])
    drop(gallery, mime)
    assert "this computer" in heard.problems[0][0] and heard.problems[0][1]
    drop(gallery, QMimeData())
    assert "isn't a picture" in heard.problems[1][0]


def test_search_appears_when_there_are_many(gallery: Gallery, library: Library, qtbot: QtBot) -> None:
    assert not gallery._search.isVisible()
    for number in range(MANY - 2):
        library.add(picture(40 + number), f"Friend {number}")
    gallery.reload()
    assert gallery._search.isVisible()
    QTest.keyClicks(gallery._search, "friend 3")
    assert shown(gallery) == ["Friend 3"]
    assert gallery.choose_number(1), "keys reach photos that are not shown"
    gallery._search.clear()
    for entry in library.search("friend"):
        library.remove(entry)
    gallery.reload()
    assert not gallery._search.isVisible() and len(shown(gallery)) == 3


@pytest.mark.parametrize("chosen", [True, False])
def test_a_removed_photo_comes_back_with_undo(
    gallery: Gallery, library: Library, heard: Heard, chosen: bool
) -> None:
    mine = library.rename(library.add(picture(9), "Mine", Box(40, 40, 50)), "My own")
    gallery.reload()
    gallery.select(mine.path.name if chosen else "zola.png")
    said: list[tuple[str, dict[str, Callable[[], object]]]] = []
    gallery.said.connect(lambda text, actions: said.append((text, actions)))
    gallery.remove(mine)
    assert not mine.path.is_file() and "My own" not in shown(gallery)
    assert heard.chosen[-1] == ("Anna" if chosen else "Zola"), "a neighbour takes its place"
    assert said[0][0] == "Removed My own"
    said[0][1]["Undo"]()
    assert library.find(mine.path.name) == mine
    assert shown(gallery)[0] == "My own"
    assert heard.chosen[-1] == ("My own" if chosen else "Zola")
    gallery.undo()  # nothing is left to restore
    assert len(shown(gallery)) == 4


def test_a_photo_of_the_app_comes_back_with_undo(gallery: Gallery, library: Library) -> None:
    gallery.remove(library.entries()[1])
    assert shown(gallery) == ["Anna", "Zola"]
    gallery.undo()
    assert shown(gallery) == ["Anna", "Marco", "Zola"]


def test_photos_are_dragged_to_another_place(gallery: Gallery, library: Library) -> None:
    view = gallery._view
    places = [view.visualRect(gallery._model.index(row)).center() for row in range(3)]
    left, viewport = Qt.MouseButton.LeftButton, view.viewport()
    QTest.mousePress(viewport, left, pos=places[2])
    QTest.mouseMove(viewport, places[1])
    QTest.mouseMove(viewport, places[0] - QPoint(20, 0))
    QTest.mouseRelease(viewport, left, pos=places[0] - QPoint(20, 0))
    assert shown(gallery) == ["Zola", "Anna", "Marco"]
    again = Library(library.folder, library.bundled)
    assert [entry.name for entry in again.entries()] == ["Zola", "Anna", "Marco"], "it is remembered"


def test_the_search_says_what_it_did_not_find_and_escape_ends_it(gallery: Gallery) -> None:
    gallery.open_search()
    assert gallery._search.isVisible()
    QTest.keyClicks(gallery._search, "nobody")
    assert shown(gallery) == []
    assert "nobody" in gallery._view.text
    QTest.keyClick(gallery._search, Qt.Key.Key_Escape)
    assert not gallery._search.isVisible()
    assert len(shown(gallery)) == 3 and gallery._view.text == ""
    gallery.open_search()
    QTest.keyClicks(gallery._search, "zol")
    QTest.keyClick(gallery._search, Qt.Key.Key_Return)
    assert gallery.entry is not None and gallery.entry.name == "Zola"


def test_removed_photos_of_the_app_come_back_by_the_menu(gallery: Gallery, library: Library) -> None:
    texts = [action.text() for action in gallery.menu(None).actions()]
    assert "Restore built-in photos" not in texts
    for entry in library.entries():
        gallery.remove(entry)
    assert shown(gallery) == [] and not gallery.next() and not gallery.random()
    back = next(
        action for action in gallery.menu(None).actions() if action.text() == "Restore built-in photos"
    )
    back.trigger()
    assert shown(gallery) == ["Anna", "Marco", "Zola"]


def test_menu_of_a_photo(gallery: Gallery, library: Library, heard: Heard) -> None:
    menu = gallery.menu(library.entries()[1])
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts == [
        "Use",
        "Rename",
        "Crop...",
        "Remove",
        "Move to the front",
        "Show in folder",
        "Add photos...",
        "Paste",
        "Find",
        "Reload",
    ]
    menu.actions()[0].trigger()
    assert heard.chosen == ["Marco"]


def test_new_crop_of_the_chosen_photo_is_told(
    gallery: Gallery, heard: Heard, library: Library, qtbot: QtBot
) -> None:
    library.set_box(library.entries()[0], Box(40, 40, 70))
    gallery.reload()
    gallery.select("anna.png")
    gallery.editing.crop(library.entries()[0])
    qtbot.waitUntil(lambda: gallery.findChild(CropEditor) is not None)
    editor = gallery.findChild(CropEditor)
    assert isinstance(editor, CropEditor)
    editor._view.set_box(Box(30, 30, 55))
    editor.accept()
    assert [entry.box for entry in heard.entries] == [Box(40, 40, 70), Box(30, 30, 55)]
    assert library.entries()[0].box == Box(30, 30, 55)


def test_thumbnails_are_made_in_another_thread(
    library: Library, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    threads: list[threading.Thread] = []
    make: Callable[[Entry, int], Image] = library.thumbnail

    def waiting(entry: Entry, side: int) -> Image:
        threads.append(threading.current_thread())
        assert go.wait(10)
        return make(entry, side)

    monkeypatch.setattr(library, "thumbnail", waiting)
    widget = Gallery(library)
    qtbot.addWidget(widget)
    widget.show()
    rows = [widget._model.index(row) for row in range(3)]
    widget.grab()
    assert all(row.data(DECORATION) is None for row in rows), "the window is there before its pictures"
    assert widget.choose_number(2)
    go.set()
    qtbot.waitUntil(lambda: all(isinstance(row.data(DECORATION), QPixmap) for row in rows))
    assert threading.main_thread() not in threads
    widget.stop()


def test_broken_photo_shows_why(gallery: Gallery, library: Library, heard: Heard, qtbot: QtBot) -> None:
    library.folder.mkdir()
    (library.folder / "broken.jpg").write_text("no photo")
    gallery.reload()
    row = next(gallery._model.index(row) for row, name in enumerate(shown(gallery)) if name == "Broken")
    qtbot.waitUntil(lambda: isinstance(row.data(DECORATION), PortraitError))
    assert "not a picture" in row.data(Qt.ItemDataRole.ToolTipRole)
    gallery.grab()
    broken = library.find("broken.jpg")
    assert broken is not None
    gallery.editing.crop(broken)
    qtbot.waitUntil(lambda: bool(heard.problems))


def test_closing_while_photos_are_read_is_clean(library: Library, qtbot: QtBot, tmp_path: Path) -> None:
    widget = Gallery(library)
    widget.show()
    widget.grab()
    widget.add_files([save(tmp_path / "late.png", picture(9))])
    widget.deleteLater()
    del widget
    with qtbot.waitSignal(QApplication.instance().destroyed, timeout=50, raising=False):  # type: ignore[union-attr]
        pass
    qtbot.waitUntil(
        lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("photos")]
    )


def test_the_chosen_one_is_marked(gallery: Gallery, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: isinstance(gallery._model.index(2).data(DECORATION), QPixmap))
    before = gallery.grab().toImage()
    gallery.select("zola.png")
    after: QImage = gallery.grab().toImage()
    rect = gallery._view.visualRect(gallery._model.index(2))
    assert before.copy(rect) != after.copy(rect)


def test_a_picture_pasted_while_searching_becomes_a_photo(
    gallery: Gallery, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    for number in range(MANY):
        library.add(picture(40 + number), f"Friend {number}")
    gallery.reload()
    search = gallery._search
    QGuiApplication.clipboard().setText("friend 3")
    QTest.keyClick(search, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert search.text() == "friend 3"
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(save(tmp_path / "new.png", picture(11))))])
    mime.setText(str(tmp_path / "new.png"))  # as file managers provide it
    QGuiApplication.clipboard().setMimeData(mime)
    with qtbot.waitSignal(gallery.chosen):
        QTest.keyClick(search, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "New" in [entry.name for entry in library.entries()]
    assert search.text() == ""
    QGuiApplication.clipboard().clear()  # Qt must not hold a Python object at its exit


def test_only_a_photo_that_is_animated_gets_the_tick(gallery: Gallery, heard: Heard, qtbot: QtBot) -> None:
    """A clicked photo may have no face, or be damaged."""

    def ticked() -> list[int]:
        return [row for row in range(3) if gallery._model.index(row).data(CHOSEN)]

    click(qtbot, gallery, 1)
    assert heard.chosen == ["Marco"] and ticked() == []
    gallery.show_used(gallery._model.entries[0].path)
    assert ticked() == [0]
    gallery.show_used(gallery._model.entries[1].path)
    assert ticked() == [1]


def test_a_turned_photo_is_turned_in_the_list_and_kept(library: Library, tmp_path: Path) -> None:
    image = np.zeros((100, 160, 3), np.uint8)
    image[:, :80] = 200
    entry = library.add(image, "Lying")
    library.find_face = lambda _: (1, Box(50, 80, 100))
    assert library.thumbnail(entry, 64)[:20].mean() > 150, "turned by itself"
    kept = library.set_box(entry, Box(50, 80, 100), 3)
    assert library.thumbnail(kept, 64)[:20].mean() < 50, "turned as the user says"
    again = Library(library.folder, library.bundled).find(entry.path.name)
    assert again is not None and again.turn == 3 and again.box == Box(50, 80, 100)


def test_the_sign_to_add_a_photo_has_the_longest_word_that_fits(qtbot: QtBot) -> None:
    metrics = QFontMetrics(QFont())
    texts = ("Add photo", "Add")
    long, short = (metrics.horizontalAdvance(text) for text in texts)
    assert first_fitting(metrics, long, texts) == "Add photo"
    assert first_fitting(metrics, long - 1, texts) == "Add"
    assert first_fitting(metrics, short - 1, texts) == ""
