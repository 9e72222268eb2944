"""Assemble the window: settings, library, session, tray, remote control."""

from __future__ import annotations

import argparse
import dataclasses
import logging

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from avatar_app.cameras.permission import ask_for_camera
from avatar_app.ending import ENDING
from avatar_app.errors import AvatarError
from avatar_app.gui.bug_dialog import BugDialog
from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.first_paint import after_first_paint
from avatar_app.gui.headline import headline
from avatar_app.gui.language.translations import install
from avatar_app.gui.live import LateSession, Live
from avatar_app.gui.main_window import MainWindow
from avatar_app.gui.one_instance import OPTIONS, hand_over
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.remote import Remote
from avatar_app.gui.settings import load_settings, remembered_avatar, to_controls
from avatar_app.gui.shortcuts import FocusedKeys
from avatar_app.gui.style.theme import apply_theme
from avatar_app.gui.tray import Tray
from avatar_app.logs import log_to_file
from avatar_app.paths import user_log, user_neutrals, user_settings
from avatar_app.photos.library import Entry, Library
from avatar_app.photos.lookup import find_photo
from avatar_app.session.controls import Controls, Notice
from avatar_app.text import Text

log = logging.getLogger(__name__)

INTERRUPT_MS = 200
DIRECT = Qt.ConnectionType.DirectConnection
"""The desktop waits for the answer when a session ends."""


def make_session(controls: Controls) -> Live:
    """The real session. Importing it takes a while, so this runs in a thread."""
    from avatar_app.motion.calibration import NeutralStore
    from avatar_app.session.session import Session

    return Session(controls, NeutralStore(user_neutrals()))


class Started(QObject):
    """Everything that lives as long as the window."""

    def __init__(self, application: QApplication, arguments: argparse.Namespace) -> None:
        super().__init__()
        self._application, self._arguments = application, arguments
        self.refused: AvatarError | None = None
        log_to_file(user_log())
        self._bugs = BugDialog()
        self._bugs.install()
        self._keys = FocusedKeys(self)
        application.installEventFilter(self._keys)
        settings, warnings = load_settings(user_settings())
        self.preferences = Preferences(settings, user_settings(), self)
        self._at_login = settings.start_at_login
        self._theme, self._language = settings.theme, settings.language
        apply_theme(application, settings.theme)
        install(application, settings.language)
        library = Library()
        controls, entry, notice = first_controls(arguments, self.preferences, library)
        self.live = LateSession(controls, make_session)
        self.devices = DeviceLists(parent=self)
        self.window = MainWindow(self.live, library, self.preferences, self.devices)
        for text in warnings[:1]:
            self.window.notify(Notice("settings", "warning", text))
        if notice is not None:
            self.window.notify(notice)
        if entry is not None:
            self.window.gallery.select(entry.path)
        self.remote = Remote(self.window)
        self.tray: Tray | None = None
        self._connect()

    def _connect(self) -> None:
        self.window.ended.connect(self._application.quit)
        self._application.commitDataRequest.connect(lambda _: self.window.quit(), DIRECT)
        self.window.settings_asked.connect(self._open_settings)
        self.preferences.changed.connect(self._apply)
        if not self.preferences.now.first_run_done and self.live.controls.output == "none":
            self.devices.changed.connect(self._offer_output, Qt.ConnectionType.SingleShotConnection)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._restyle)
        self.window.refreshed.connect(self._show_tray)
        self._follow_tray()
        # From the event loop: before it runs, Qt ignores a request to quit.
        ENDING.call_instead(lambda: QTimer.singleShot(0, self.window.quit))
        # Python handles signals only while it runs: a timer makes it run.
        self._awake = QTimer(self, interval=INTERRUPT_MS)
        self._awake.timeout.connect(lambda: None)
        self._awake.start()

    def _begin(self) -> None:
        """Start everything else, whose heavy imports would delay the first paint."""
        if not self.remote.start():
            self._give_way()
            return
        ask_for_camera(self.live.controls.source)
        self.live.start()
        self.devices.refresh()
        if not self.preferences.now.first_run_done:
            self.window.dialogs.open_guide()

    def _give_way(self) -> None:
        """Close, because another instance that needs the camera started at the same time."""
        self.window.hide()
        try:
            hand_over(self._arguments)
        except AvatarError as error:
            self.refused = error
        self._application.quit()

    def _offer_output(self) -> None:
        """Choose, at the first start, an output that works here.

        Calls should find the app without a search through its settings.
        """
        if self.devices.found is not None and self.live.controls.output == "none":
            self.live.change(output=first_output(self.devices.found))

    def _open_settings(self) -> None:
        from avatar_app.gui.dialogs.settings import SettingsDialog

        dialog = SettingsDialog(self.preferences.now, self.window)
        dialog.accepted.connect(lambda: self.preferences.put(dialog.settings()))
        dialog.open()

    def _apply(self) -> None:
        self.remote.follow_settings()
        self._follow_tray()
        now = self.preferences.now
        if now.theme != self._theme:
            self._theme = now.theme
            self._restyle()
        if now.start_at_login != self._at_login:
            self._at_login = now.start_at_login
            self._set_autostart(now.start_at_login)
        if now.language != self._language:
            self._language = now.language
            install(self._application, now.language)
            self.window.speak()

    def _set_autostart(self, on: bool) -> None:
        from avatar_app.gui.autostart import set_autostart

        try:
            set_autostart(on)
        except AvatarError as error:
            self.window.notify(Notice("settings", "warning", error.message, error.hint))

    def show(self) -> None:
        """Show the window, or start out of sight as the settings say.

        The guide is always shown.
        """
        after_first_paint(self.window, self._begin)
        now = self.preferences.now
        if now.start_minimised and now.first_run_done:
            self.window.showMinimized()
        else:
            self.window.show()

    def _restyle(self) -> None:
        apply_theme(self._application, self._theme)

    def _follow_tray(self) -> None:
        """Show a tray icon, or none, as the settings say."""
        wanted = self.preferences.now.tray and Tray.is_possible()
        if self.tray is not None and not wanted:
            self.tray.close()
            self.tray = None
        elif self.tray is None and wanted:
            self.tray = Tray(self)
            self.tray.asked.connect(self.window.actions_.do)
            self.tray.chosen.connect(self.window.choose)
            self.tray.icon.show()

    def _show_tray(self) -> None:
        if self.tray is not None:
            controls = self.live.controls
            self.tray.show_status(headline(self.window.status, controls), controls.paused)
            self.tray.list_avatars(self.window.library.entries(), self.window.gallery.entry)

    def close(self) -> None:
        """Stop everything; the session in the order of its data."""
        self._application.removeEventFilter(self._keys)
        if self.tray is not None:
            self.tray.close()
        self.remote.close()
        stuck = self.live.stop()
        if stuck:
            log.error("these did not stop: %s", ", ".join(stuck))
        self.devices.stop()


def first_output(found: Found) -> str:
    """Return a usable virtual camera, which every program lists.

    Else PipeWire; else none.
    """
    if found.virtual_cameras and not found.virtual_problem:
        return "virtual-camera"
    return "pipewire" if not found.pipewire_problem else "none"


def first_controls(
    arguments: argparse.Namespace, preferences: Preferences, library: Library
) -> tuple[Controls, Entry | None, Notice | None]:
    """Return the controls to start with, and the photo's problem."""
    now, named = preferences.now, getattr(arguments, "avatar", None)
    entry, notice = remembered_avatar(now, library), None
    if now.avatar and entry is None:
        entry = next(iter(library.entries()), None)
        notice = Notice(
            "option",
            "info",
            Text("The photo {} of last time is gone.", now.avatar),
            Text("The first avatar was taken; choose any other."),
        )
    if named is not None:
        try:
            entry, notice = find_photo(named, library), None
        except AvatarError as error:
            notice = Notice("option", "warning", error.message, Text("Choose one in the gallery."))
    given = {name: getattr(arguments, name) for name in OPTIONS if getattr(arguments, name, None) is not None}
    return dataclasses.replace(to_controls(now, entry), **given), entry, notice
