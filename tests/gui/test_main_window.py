"""The window for its user: keys, pictures, badges, and remembered settings."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMessageBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui import captures
from avatar_app.gui.dialogs.keys import KeysDialog
from avatar_app.gui.guide.guide import Guide
from avatar_app.gui.main_window import MainWindow
from avatar_app.gui.presenter import INSET_LATEST
from avatar_app.gui.settings import Settings, load_settings
from avatar_app.gui.shortcuts import ACTIONS, FocusedKeys, action_keys
from avatar_app.motion.match import Match
from avatar_app.session.controls import Controls, Notice
from avatar_app.session.face_watch import turned_face
from avatar_app.text import Text
from tests.gui.stand_in import StandIn, plain
from tests.gui.windows import Opened, drop_on, open_window

Open = Callable[..., Opened]


@pytest.fixture
def opened(qtbot: QtBot, tmp_path: Path) -> Opened:
    return open_window(qtbot, tmp_path)


def press(window: MainWindow, key: str) -> None:
    QTest.keySequence(window, QKeySequence.fromString(key))


def poll(window: MainWindow) -> None:
    """Until the small picture is drawn too."""
    for _ in range(INSET_LATEST):
        window.poll_pictures()


CONTROL_KEYS = [
    ("X", {"calibrations": 1}),
    ("F", {"seeking": True}),
    ("P", {"paused": True}),
    ("T", {"mirror_output": True}),
    ("W", {"zoom": 1.1}),
    ("S", {"zoom": 0.9}),
    ("Shift+W", {"zoom": 1.02}),
    ("Shift+S", {"zoom": 0.98}),
    ("U", {"pan_y": -0.05}),
    ("J", {"pan_y": 0.05}),
    ("H", {"pan_x": -0.05}),
    ("K", {"pan_x": 0.05}),
    ("Shift+U", {"pan_y": -0.01}),
    ("Shift+J", {"pan_y": 0.01}),
    ("Shift+H", {"pan_x": -0.01}),
    ("Shift+K", {"pan_x": 0.01}),
]


@pytest.mark.parametrize(("key", "changes"), CONTROL_KEYS)
def test_keys_change_the_controls(opened: Opened, key: str, changes: dict[str, object]) -> None:
    press(opened.window, key)
    for name, value in changes.items():
        assert getattr(opened.live.controls, name) == value


SCREEN_KEYS = [
    ("O", "show_landmarks", True),
    ("I", "show_statistics", True),
    ("R", "mirror_preview", False),
    ("G", "show_ghost", False),
    ("B", "show_help_box", False),
    ("Z", "ghost_opacity", 0.2),
    ("C", "ghost_opacity", 0.4),
]


@pytest.mark.parametrize(("key", "name", "value"), SCREEN_KEYS)
def test_keys_change_what_this_screen_shows_and_nothing_else(
    opened: Opened, key: str, name: str, value: object
) -> None:
    before = opened.live.controls
    press(opened.window, key)
    assert getattr(opened.preferences.now, name) == value
    assert opened.live.controls == before


@pytest.mark.parametrize(
    ("keys", "photo"), [("1", "anna"), ("3", "zola"), ("2 D", "zola"), ("2 A", "anna"), ("1 A", "zola")]
)
def test_keys_choose_avatars(opened: Opened, keys: str, photo: str) -> None:
    for key in keys.split():
        press(opened.window, key)
    assert opened.live.controls.avatar is not None
    assert opened.live.controls.avatar.stem == photo


def test_a_random_avatar_is_another_one(opened: Opened) -> None:
    press(opened.window, "1")
    press(opened.window, "Q")
    assert opened.live.controls.avatar is not None
    assert opened.live.controls.avatar.stem in ("marco", "zola")


def test_reload_lists_a_photo_that_was_put_into_the_folder(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "user").mkdir()
    shutil.copy(tmp_path / "app" / "anna.png", tmp_path / "user" / "new.png")
    press(opened.window, "L")
    assert opened.window.library.find("new.png") is not None


def test_zoom_and_position_are_reset_and_kept_in_bounds(opened: Opened) -> None:
    for _ in range(15):
        press(opened.window, "W")
    press(opened.window, "K")
    assert opened.live.controls.zoom == 2.0
    press(opened.window, "Shift+Z")
    assert (opened.live.controls.zoom, opened.live.controls.pan_x) == (1.0, 0.0)


@pytest.fixture
def _focused_keys(qapp: QApplication) -> Iterator[None]:
    guard = FocusedKeys()
    qapp.installEventFilter(guard)
    yield
    qapp.removeEventFilter(guard)


def press_space(window: MainWindow) -> None:
    """Which widget has the focus."""
    QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Space)


def click(widget: QWidget) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def click_photo(window: MainWindow) -> None:
    view = window.gallery._view
    place = view.visualRect(view.model().index(1, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def choose_a_size(window: MainWindow) -> None:
    """In the open list, as with the mouse."""
    choice = window.view.panel.choices["size"]
    click(choice)
    assert choice.view().isVisible()
    QTest.keyClick(choice.view(), Qt.Key.Key_Up)
    QTest.keyClick(choice.view(), Qt.Key.Key_Return)
    assert not choice.view().isVisible()


CLICKS: dict[str, Callable[[MainWindow], object]] = {
    "nothing": lambda window: None,
    "photo": click_photo,
    "button": lambda window: click(window.view.header.settings),
    "calibrate": lambda window: click(window.view.area.calibration.calibrate),
    "switch": lambda window: click(window.view.panel.switches["label"]),
    "slider": lambda window: click(window.view.panel.sliders["head"].slider),
    "list": choose_a_size,
    "banner": lambda window: click(window.notices.banners["camera"].buttons["choose-camera"]),
}


@pytest.mark.usefixtures("_focused_keys")
@pytest.mark.parametrize("what", CLICKS)
def test_space_pauses_after_a_click_anywhere(opened: Opened, what: str) -> None:
    opened.live.report(
        notices=(
            Notice(
                "camera", "error", Text("No camera is connected."), Text("Connect one."), ("choose-camera",)
            ),
        )
    )
    opened.window.refresh()
    CLICKS[what](opened.window)
    before = dataclasses.replace(opened.live.controls, paused=True)
    hidden = opened.window.view.drawer.isHidden()
    press_space(opened.window)
    assert (opened.live.controls, opened.window.view.drawer.isHidden()) == (before, hidden)


@pytest.mark.usefixtures("_focused_keys")
def test_space_presses_what_was_reached_with_tab(opened: Opened) -> None:
    window, button, switch = (
        opened.window,
        opened.window.view.header.settings,
        opened.window.view.panel.switches["label"],
    )
    window.view.open_drawer(True)
    window.view.panel.setCurrentIndex(2)
    shown = window.view.drawer.isVisible()
    reached: list[QWidget | None] = []
    window.gallery.setFocus()
    wanted = {window.view.area.chip, window.view.panel.choices["size"], button, switch}
    while len(reached) < 60 and not wanted <= set(reached):
        QTest.keyClick(QApplication.focusWidget() or window, Qt.Key.Key_Tab)
        reached.append(QApplication.focusWidget())
    assert wanted <= set(reached), "no mouse is needed"
    switch.setFocus(Qt.FocusReason.TabFocusReason)
    press_space(window)
    assert opened.live.controls.label
    button.setFocus(Qt.FocusReason.TabFocusReason)
    press_space(window)
    assert window.view.drawer.isVisible() != shown
    assert not opened.live.controls.paused


@pytest.mark.usefixtures("_focused_keys")
def test_space_is_a_letter_where_one_types_and_no_key_of_the_window_in_dialogs(
    opened: Opened, qtbot: QtBot
) -> None:
    gallery = opened.window.gallery
    gallery.edit_name(opened.window.library.entries()[0])
    qtbot.waitUntil(lambda: isinstance(QApplication.focusWidget(), QLineEdit))
    editor = QApplication.focusWidget()
    assert isinstance(editor, QLineEdit)
    editor.setText("Mary")
    press_space(opened.window)
    assert editor.text() == "Mary "
    QTest.keyClick(editor, Qt.Key.Key_Return)
    opened.window.dialogs.open_guide()
    guide = opened.window.findChild(Guide)
    assert guide is not None
    qtbot.waitUntil(guide.isActiveWindow)
    press_space(opened.window)
    assert guide.pages.currentIndex() == 1, "the focused button, Next, was pressed"
    press_space(opened.window)
    guide.reject()
    assert not opened.live.controls.paused


def a_file(path: Path) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    return mime


def a_photo(path: Path, seed: int) -> Path:
    rough = np.random.default_rng(seed).integers(0, 255, (96, 96, 3), np.uint8)
    PIL.Image.fromarray(rough).save(path)
    return path


@pytest.mark.parametrize("where", ["area", "header", "tools", "drawer", "gallery"])
def test_a_photo_can_be_dropped_anywhere_in_the_window(
    opened: Opened, qtbot: QtBot, tmp_path: Path, where: str
) -> None:
    photo = a_photo(tmp_path / "friend.png", 7)
    with qtbot.waitSignal(opened.window.gallery.chosen):
        assert drop_on(getattr(opened.window.view, where), a_file(photo))
    assert opened.live.controls.avatar is not None
    assert opened.live.controls.avatar.stem == "friend"


@pytest.mark.parametrize("kind", ["text", "a file that is no picture", "a page"])
def test_what_is_no_picture_is_said_when_it_is_dropped(
    opened: Opened, qtbot: QtBot, tmp_path: Path, kind: str
) -> None:
    mime = QMimeData()
    if kind == "text":
        mime.setText("hello")
    elif kind == "a page":
        mime.setUrls([QUrl("https://example.org/")])
    else:
        (tmp_path / "notes.txt").write_text("milk")
        mime = a_file(tmp_path / "notes.txt")
    assert drop_on(opened.window.view.area.output, mime)
    qtbot.waitUntil(lambda: "own gallery" in opened.window.notices.banners)
    assert "picture" in opened.window.notices.banners["own gallery"].notice.message
    assert opened.live.controls.avatar is None


@pytest.mark.parametrize("focused", ["gallery", "calibration", "window"])
def test_a_photo_can_be_pasted_wherever_the_focus_is(
    opened: Opened, qtbot: QtBot, tmp_path: Path, focused: str
) -> None:
    window = opened.window
    {"gallery": window.gallery, "calibration": window.view.area.calibration.calibrate, "window": window}[
        focused
    ].setFocus()
    QGuiApplication.clipboard().setImage(QImage(str(a_photo(tmp_path / "copied.png", 8))))
    with qtbot.waitSignal(window.gallery.chosen):
        QTest.keySequence(QApplication.focusWidget() or window, QKeySequence(QKeySequence.StandardKey.Paste))
    assert [entry.name for entry in window.library.entries()] == ["Pasted photo", "Anna", "Marco", "Zola"]


def question(window: MainWindow) -> QMessageBox:
    found = window.findChild(QMessageBox, "pass-through")
    assert isinstance(found, QMessageBox)
    return found


def wait_for_end(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "pass-through") is None)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)


def test_the_real_face_is_shown_only_after_a_yes(opened: Opened, qtbot: QtBot) -> None:
    passed = []
    press(opened.window, "0")
    passed.append(opened.live.controls.pass_through)
    question(opened.window).button(QMessageBox.StandardButton.Cancel).click()
    passed.append(opened.live.controls.pass_through)
    wait_for_end(opened.window, qtbot)

    press(opened.window, "0")
    QTest.keyClick(question(opened.window), Qt.Key.Key_Return)  # Enter alone must not confirm
    passed.append(opened.live.controls.pass_through)
    wait_for_end(opened.window, qtbot)

    press(opened.window, "0")
    yes = next(
        button for button in question(opened.window).findChildren(QPushButton) if "face" in button.text()
    )
    yes.click()
    passed.append(opened.live.controls.pass_through)
    wait_for_end(opened.window, qtbot)

    press(opened.window, "0")  # off without a question
    passed.append(opened.live.controls.pass_through)
    assert passed == [False, False, False, True, False]


def test_a_red_banner_lies_over_the_real_face(opened: Opened) -> None:
    view = opened.window.view.area.output
    opened.window.poll_pictures()
    place = view.place()
    spot = QPoint(place.x() + 20, place.y() + 12)
    assert view.grab().toImage().pixelColor(spot).green() > 80
    opened.live.change(pass_through=True)
    opened.window.refresh()
    opened.window.poll_pictures()
    colour = view.grab().toImage().pixelColor(spot)
    assert colour.red() > 180
    assert colour.green() < 80
    assert (
        "REAL FACE" in opened.window.view.header.state.text()
        or "Real face" in opened.window.view.header.state.text()
    )
    click(opened.window.view.header.state)
    assert not opened.live.controls.pass_through


def test_the_header_says_what_others_see(opened: Opened) -> None:
    window, live = opened.window, opened.live
    said = []
    for changes, status in (
        ({"output": "none"}, {}),
        ({"output": "virtual-camera"}, {}),
        ({"paused": True}, {}),
        ({"paused": False}, {"shows": "card", "reason": "uncalibrated", "calibrated": False}),
        ({}, {"shows": "avatar", "reason": "", "output": "", "calibrated": True}),
    ):
        live.change(**changes)
        live.report(**status)
        window.refresh()
        said.append(window.view.header.state.accessibleName())
        assert window.windowTitle() == f"{said[-1]} — Avatar"
    assert said == [
        "Preview only – set up",
        "Live to Avatar Camera",
        "Paused",
        "Not calibrated",
        "Preview only – set up",
    ]
    assert window.view.tools.buttons["pause"].text() == "Pause"


def test_a_changed_key_works_and_is_shown(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, Settings(keys={"calibrate": "F5", "pause": ""}))
    press(opened.window, "X")
    press(opened.window, "P")
    assert opened.live.controls == Controls()
    press(opened.window, "F5")
    assert opened.live.controls.calibrations == 1
    assert "F5" in opened.window.view.area.calibration.calibrate.text()


def test_after_a_stall_the_newest_picture_is_shown(opened: Opened) -> None:
    for level in range(1, 61):  # recorded during two seconds in which nobody polled
        opened.live.sent = plain(1280, 720, (level, level, level))
        opened.live.camera = plain(640, 480, (0, 0, level))
    poll(opened.window)
    image, camera = opened.window.view.area.output.image, opened.window.view.area.camera.image
    assert image is not None
    assert camera is not None
    assert image.pixelColor(50, 50).red() in (59, 60, 61), "but for the rounding of planes"
    assert camera.pixelColor(50, 50).blue() == 60


def test_both_pictures_are_shown_as_a_mirror_does_and_texts_are_not(opened: Opened) -> None:
    half = plain(640, 480, (0, 0, 0))
    half[:, :320] = 255
    opened.live.camera = opened.live.sent = half
    poll(opened.window)
    camera, output = opened.window.view.area.camera.image, opened.window.view.area.output.image
    assert camera is not None
    assert output is not None
    assert camera.pixelColor(4, 4).red() == 0
    assert output.pixelColor(4, 4).red() == 0
    opened.live.change(paused=True)
    opened.window.refresh()
    opened.window.poll_pictures()
    card = opened.window.view.area.output.image
    assert card is not None
    assert card.pixelColor(4, 4).red() == 255


def test_a_better_moment_flashes(opened: Opened) -> None:
    opened.live.report(found=1)
    opened.window.refresh()
    opened.window.poll_pictures()
    assert opened.window.view.area.camera.flash > 0.9
    for _ in range(30):
        opened.window.poll_pictures()
    assert opened.window.view.area.camera.flash == 0


def test_a_click_on_a_face_and_the_button_of_a_notice_reach_the_session(opened: Opened) -> None:
    opened.window.view.area.camera.face_asked.emit(0.25, 0.5)
    assert (opened.live.controls.picks, opened.live.controls.picked) == (1, (0.25, 0.5))
    opened.live.report(notices=(turned_face(90),))
    opened.window.refresh()
    opened.window.notices.banners["face"].buttons["turn-camera"].click()
    assert opened.live.controls.rotation == 90


def test_without_a_camera_nobody_is_told_to_sit_before_it(opened: Opened) -> None:
    opened.live.report(match=None, face=False)
    opened.window.refresh()
    assert "Sit in front of the camera" in opened.window.view.area.calibration.hint.text()
    opened.live.report(camera="")
    opened.window.refresh()
    assert "camera gives no picture" in opened.window.view.area.calibration.hint.text()


def test_the_hint_names_what_fits_worst(opened: Opened) -> None:
    opened.live.report(calibrated=False, match=Match(0.5, 0.9, 0.3, 0.9))
    opened.window.refresh()
    assert "mouth and eyes" in opened.window.view.area.calibration.hint.text()
    opened.live.report(match=Match(0.95, 0.9, 0.9, 1.0))
    opened.window.refresh()
    assert "calibrate now" in opened.window.view.area.calibration.hint.text()
    opened.live.report(match=None, face=False)
    opened.window.refresh()
    assert "No face" in opened.window.view.area.calibration.hint.text()
    assert "no face" in opened.window.view.area.camera.caption


def test_recording_names_a_file_and_stops(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "home_of", lambda _: tmp_path)
    press(opened.window, "Shift+R")
    path = opened.live.controls.recording
    assert path is not None
    assert (path.parent, path.suffix) == (tmp_path, ".mp4")
    assert "Stop" in opened.window.view.tools.buttons["record"].text()
    press(opened.window, "Shift+R")
    assert opened.live.controls.recording is None


def test_snapshots_are_named_apart_and_a_failure_is_told(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "home_of", lambda _: tmp_path)
    press(opened.window, "Ctrl+S")
    opened.live.snapshots[0].touch()
    press(opened.window, "Ctrl+S")
    assert len(set(opened.live.snapshots)) == 2
    opened.live.sent = None
    press(opened.window, "Ctrl+S")
    assert "no picture to keep" in opened.window.notices.banners["own snapshot"].notice.message


def test_window_and_settings_are_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    first = open_window(qtbot, tmp_path)
    first.window.resize(780, 690)
    press(first.window, "2")
    press(first.window, "T")
    first.window.close()
    settings, warnings = load_settings(tmp_path / "settings.json")
    assert warnings == []
    assert settings.avatar == "marco.png"
    assert settings.controls.mirror_output
    live = StandIn()
    second = MainWindow(live, first.window.library, type(first.preferences)(settings), first.devices)
    qtbot.addWidget(second)
    assert (second.width(), second.height()) == (780, 690)
    assert second.view.drawer.isHidden()


@pytest.mark.parametrize("text", ["", "not base64!", "AAAA"])
def test_damaged_window_state_is_ignored(qtbot: QtBot, tmp_path: Path, text: str) -> None:
    opened = open_window(qtbot, tmp_path, Settings(window_geometry=text, window_state=text))
    assert opened.window.isVisible()


class Windows(QObject):
    """Records every widget that is shown as a separate window. Installed on the application."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(type(watched).__name__)
        return False


def test_no_part_of_the_window_is_a_window_for_a_moment(
    qtbot: QtBot, tmp_path: Path, qapp: QApplication
) -> None:
    """It would flicker, and a banner would take the keyboard focus."""
    windows = Windows()
    qapp.installEventFilter(windows)
    opened = open_window(qtbot, tmp_path)
    qtbot.waitUntil(opened.window.isActiveWindow)
    opened.live.report(
        notices=(
            Notice(
                "camera", "error", Text("No camera is connected."), Text("Connect one."), ("choose-camera",)
            ),
        )
    )
    opened.window.refresh()
    opened.window.toggle_panel()
    opened.window.reveal("model")
    qapp.removeEventFilter(windows)
    assert windows.shown == ["MainWindow"]
    assert opened.window.isActiveWindow()


@pytest.mark.parametrize("way", ["key", "frame"])
def test_the_app_ends_with_its_window(opened: Opened, qtbot: QtBot, way: str) -> None:
    with qtbot.waitSignal(opened.window.ended):
        if way == "key":
            press(opened.window, "Ctrl+Q")
        else:
            opened.window.close()
    assert not opened.window.isVisible()


def test_help_lists_every_key(opened: Opened) -> None:
    opened.window.dialogs.open_keys()
    dialog = opened.window.findChild(KeysDialog)
    assert isinstance(dialog, KeysDialog)
    cells = [dialog.table.item(row, 1) for row in range(dialog.table.rowCount())]
    shown = ", ".join(cell.text() for cell in cells if cell is not None)
    for name in ACTIONS:
        for key in action_keys(name, {}):
            assert key.toString(QKeySequence.SequenceFormat.NativeText) in shown
    dialog.reject()


def test_pictures_are_not_copied_while_nobody_can_see_them(opened: Opened) -> None:
    opened.window.poll_pictures()
    opened.window.hide()
    before = opened.window.view.area.output.image
    opened.live.sent = np.zeros((720, 1280, 3), np.uint8)
    opened.window.poll_pictures()
    assert opened.window.view.area.output.image is before
