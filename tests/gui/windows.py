"""Build real windows around a fake session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from avatar_app.gui.device_lists import DeviceLists, Found, Outlet
from avatar_app.gui.live import Live
from avatar_app.gui.main_window import MainWindow
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.settings import Settings
from avatar_app.gui.style.theme import apply_theme
from avatar_app.photos.library import Library
from avatar_app.text import Text
from avatar_app.types import Box
from tests.gui.stand_in import StandIn

FOUND = Found(
    cameras=("Webcam C270", "Integrated Camera"),
    virtual_cameras=(Outlet("/dev/video9", "Avatar Camera (/dev/video9)"),),
    pipewire_problem=Text("PipeWire does not run in this session."),
    models=(Outlet("lite", "lite"), Outlet("vox", "vox")),
    card_problem=Text("no NVIDIA driver was found"),
)


@dataclass
class Opened:
    """A window and its parts."""

    window: MainWindow
    live: StandIn
    preferences: Preferences
    devices: DeviceLists


def make_library(folder: Path) -> Library:
    """Three photos: anna, marco and zola, on the keys 1 to 3."""
    photos = folder / "app"
    photos.mkdir(exist_ok=True)
    for seed, name in enumerate(("anna", "marco", "zola")):
        rough = np.random.default_rng(seed).integers(0, 255, (96, 96, 3), np.uint8)
        PIL.Image.fromarray(rough).save(photos / f"{name}.png")
    return Library(folder / "user", photos, lambda _: (0, Box(48, 48, 60)))


def drop_on(widget: QWidget, mime: QMimeData) -> bool:
    """Drag something over a widget and drop it there, with the system's events.

    Returns whether the widget accepted it.
    """
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(20, 20), copy, mime, left, none)
    QApplication.sendEvent(widget, enter)
    if enter.isAccepted():
        QApplication.sendEvent(widget, QDropEvent(QPointF(20, 20), copy, mime, left, none))
    return enter.isAccepted()


def open_window(
    qtbot: QtBot,
    folder: Path,
    settings: Settings | None = None,
    live: StandIn | None = None,
    found: Found = FOUND,
) -> Opened:
    """A shown, focused window around a fake session."""
    live = live or StandIn()
    window, preferences, devices = show_window(qtbot, folder, live, settings, found)
    return Opened(window, live, preferences, devices)


def show_window(
    qtbot: QtBot, folder: Path, live: Live, settings: Settings | None = None, found: Found = FOUND
) -> tuple[MainWindow, Preferences, DeviceLists]:
    """A shown, focused window around any session."""
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    apply_theme(application, "dark")
    preferences = Preferences(settings or Settings(ask_before_quit=False), folder / "settings.json")
    devices = DeviceLists(lambda: found)
    devices.found = found
    window = MainWindow(live, make_library(folder), preferences, devices)
    qtbot.addWidget(window)
    window.resize(1200, 760)
    with qtbot.waitExposed(window):
        window.show()
    window.activateWindow()
    return window, preferences, devices
