"""The window fits every screen.

Nothing is cut off or outside its parent, and the picture is as large as possible.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QScrollArea,
    QStyle,
    QStyleOptionButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from avatar_app.gui.arrangement import Heights, arrange, picture_width
from avatar_app.gui.language.translations import install
from avatar_app.gui.main_window import MainWindow
from avatar_app.gui.style.widgets import ElidedLabel
from avatar_app.motion.match import Match
from avatar_app.session.controls import Notice
from avatar_app.text import NOTHING, Text
from tests.gui.stand_in import StandIn
from tests.gui.windows import Opened, open_window

SIZES = [(1024, 560), (1280, 680), (1280, 720), (1280, 800), (1366, 728), (1920, 1040), (2560, 1400)]
"""The space for a window on common screens; 1280 x 720 is also 2560 x 1440 at 200 %."""
HEIGHTS = Heights(36, 34, 106)


@pytest.fixture(params=["en", "ru"])
def language(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    install(qapp, request.param)
    yield request.param
    install(qapp, "en")


def shown(root: QWidget) -> Iterator[QWidget]:
    yield from (widget for widget in root.findChildren(QWidget) if widget.isVisible())


def is_scrolled(widget: QWidget, root: QWidget) -> bool:
    """The content of a scroll area may be larger than it; menus are windows."""
    parent = widget.parentWidget()
    while parent is not None and parent is not root:
        if isinstance(parent, QScrollArea) or widget.isWindow():
            return True
        parent = parent.parentWidget()
    return False


def faults(window: MainWindow) -> list[str]:
    """Every widget outside its parent, and every button or text that is cut off."""
    found = []
    for widget in shown(window):
        parent = widget.parentWidget()
        name = f"{type(widget).__name__} {widget.accessibleName() or getattr(widget, 'text', str)()}"
        inside = parent is None or widget.isWindow() or is_scrolled(widget, window)
        if not inside and parent is not None and not parent.rect().contains(widget.geometry()):
            found.append(f"outside: {name} {widget.geometry()} of {parent.rect()}")
        if is_cut(widget):
            found.append(f"cut: {name} {widget.size()} needs {needed(widget)}")
    return found


def needed(widget: QWidget) -> QSize:
    if isinstance(widget, QLabel) and widget.wordWrap():
        return QSize(0, widget.heightForWidth(widget.width()))
    if isinstance(widget, QAbstractButton) and not isinstance(widget, QLabel):
        option = QStyleOptionButton()
        option.initFrom(widget)
        text = widget.fontMetrics().size(0x0800, widget.text())  # with its mnemonic
        icon = 0 if widget.icon().isNull() else widget.iconSize().width() + 4
        frame = widget.style().pixelMetric(QStyle.PixelMetric.PM_DefaultFrameWidth, option, widget)
        return QSize(text.width() + icon + 2 * frame, text.height())
    return widget.minimumSizeHint()


def is_cut(widget: QWidget) -> bool:
    if not isinstance(widget, QAbstractButton | QLabel) or isinstance(widget, ElidedLabel):
        return False
    least = needed(widget)
    return widget.width() + 1 < least.width() or widget.height() + 1 < least.height()


def overlaps(window: MainWindow) -> list[str]:
    """Overlapping parts of the window; the drawer may overlap."""
    view = window.view
    parts = {"header": view.header, "area": view.area, "tools": view.tools, "gallery": view.gallery_panel}
    if view.drawer.isVisible() and not view.is_narrow():
        parts["drawer"] = view.drawer
    names = list(parts)
    return [
        f"{one} and {other}"
        for number, one in enumerate(names)
        for other in names[number + 1 :]
        if parts[one].geometry().intersects(parts[other].geometry())
    ]


STATES = ["live", "uncalibrated", "trouble", "recording"]


def bring_about(opened: Opened, state: str) -> None:
    live, window = opened.live, opened.window
    if state == "uncalibrated":
        live.report(
            shows="card", reason="uncalibrated", calibrated=False, match=Match(0.4, 0.2, 0.5, 0.9), found=3
        )
        live.change(seeking=True)
    elif state == "trouble":
        hint = Text("Turn the camera off in the call and on again, or choose that size.")
        actions = ("retry", "choose-output", "doctor")
        notice = Notice("output", "error", Text("The virtual camera /dev/video9 is gone."), hint, actions)
        live.report(
            notices=(notice, Notice("face", "warning", Text("The camera does not see a face."), NOTHING, ()))
        )
    elif state == "recording":
        live.change(recording=Path("film.mp4"), paused=True)
        window.say("Saved Avatar 2026-11-29 23.59.59.mp4", {"Open": int, "Show in folder": int})
    window.refresh()
    window.poll_pictures()


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_at_any_size(qtbot: QtBot, tmp_path: Path, language: str, state: str) -> None:
    opened = open_window(qtbot, tmp_path)
    opened.live.change(output="virtual-camera")
    window = opened.window
    window.gallery.choose_number(1)
    bring_about(opened, state)
    least = window.minimumSize().toTuple()
    for size in (least, *SIZES):
        for drawer in (False, True):
            for tab in range(window.view.panel.count() if drawer else 1):
                window.resize(*size)
                window.view.open_drawer(drawer)
                window.view.panel.setCurrentIndex(tab)
                window.refresh()
                QApplication.processEvents()
                assert window.size().toTuple() == size
                assert [size, faults(window), overlaps(window)] == [size, [], []]


def test_the_least_size_fits_small_screens(qtbot: QtBot, tmp_path: Path, language: str) -> None:
    least = open_window(qtbot, tmp_path).window.minimumSize()
    assert least.width() <= 800
    assert least.height() <= 540


@pytest.mark.parametrize("drawer", [False, True])
def test_the_avatar_is_large(qtbot: QtBot, tmp_path: Path, drawer: bool) -> None:
    opened = open_window(qtbot, tmp_path)
    window = opened.window
    window.resize(1280, 800)
    window.view.open_drawer(drawer)
    window.poll_pictures()
    assert window.view.area.picture_place().width() >= 940


def test_a_wide_window_has_the_gallery_at_its_side(qtbot: QtBot) -> None:
    wide, usual = arrange(QSize(1920, 1040), HEIGHTS, False), arrange(QSize(1280, 800), HEIGHTS, False)
    assert (wide.side, usual.side) == (True, False)
    assert picture_width(wide.area, 16 / 9) > 1500
    tall = arrange(QSize(1600, 1400), HEIGHTS, False)
    assert not tall.side, "a column would take width from the picture"


def test_the_drawer_lies_over_the_pictures_of_a_narrow_window(qtbot: QtBot) -> None:
    narrow, usual = arrange(QSize(1024, 560), HEIGHTS, True), arrange(QSize(1280, 800), HEIGHTS, True)
    assert narrow.over and narrow.drawer.intersects(narrow.area)
    assert not usual.over and not usual.drawer.intersects(usual.area)


def test_the_window_is_never_larger_than_the_screen(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    opened.window.resize(6000, 4000)
    opened.window.move(5000, 3000)
    opened.window.close()
    again = MainWindow(StandIn(), opened.window.library, opened.preferences, opened.devices)
    qtbot.addWidget(again)
    room = again.screen().availableGeometry()
    assert room.contains(QRect(QPoint(max(0, again.x()), max(0, again.y())), again.size()))


def test_a_picture_of_another_shape_is_not_cut(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    opened.live.sent = np.zeros((480, 640, 3), np.uint8)
    opened.window.poll_pictures()
    area = opened.window.view.area
    place = area.picture_place()
    assert area.rect().contains(place)
    assert abs(place.width() / place.height() - 4 / 3) < 0.01
    assert area.rect().contains(area.inset.geometry())
