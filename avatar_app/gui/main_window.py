"""The main window: the output's picture, gallery, settings, and its actions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import QMainWindow

from avatar_app.gui.actions import WindowActions
from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.dialogs.quit_question import QuitQuestion
from avatar_app.gui.front import bring_to_front
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.headline import is_sent
from avatar_app.gui.live import Live
from avatar_app.gui.menus import Menus
from avatar_app.gui.panels.background_menu import BackgroundMenu
from avatar_app.gui.panels.notices import NoticeBar
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.presenter import Presenter
from avatar_app.gui.shortcuts import Shortcuts
from avatar_app.gui.style.icons import app_icon
from avatar_app.gui.window_dialogs import WindowDialogs
from avatar_app.gui.window_place import WindowPlace
from avatar_app.gui.window_view import WindowView
from avatar_app.photos.library import Entry, Library
from avatar_app.session.controls import Notice, Status
from avatar_app.text import Text


class MainWindow(QMainWindow):
    """The main window.

    Everything slow happens elsewhere: ``live`` never waits, devices are listed by ``devices``. ``ended`` is
    emitted when the window is closed for good.

    Attributes:
        view: its content; replaced when the language changes.
    """

    ended = Signal()
    settings_asked = Signal()
    refreshed = Signal()

    def __init__(self, live: Live, library: Library, preferences: Preferences, devices: DeviceLists) -> None:
        super().__init__()
        self.live, self.library, self.preferences, self.devices = live, library, preferences, devices
        self.setWindowIcon(app_icon())
        self.dialogs = WindowDialogs(self, live, library, preferences, devices, self.select)
        self.actions_ = WindowActions(self, live, preferences, lambda: self.gallery, self._own_actions())
        self.shortcuts = Shortcuts(self, self.actions_.do, preferences.now.keys)
        self.presenter = Presenter(self, live, library, preferences, self.shortcuts, lambda: self.view)
        self.view = self._new_view()
        self._place = WindowPlace(self, preferences)
        self._quit_question = QuitQuestion(self, preferences)
        self._connect()
        self.view.open_drawer(self._place.restore())
        self.apply_preferences()
        self.focus_gallery()
        self.refresh()
        self.presenter.start()

    def _own_actions(self) -> dict[str, Callable[[], object]]:
        return {
            "show-panel": self.toggle_panel,
            "full-screen": self.toggle_full_screen,
            "swap-views": self.swap_views,
            "preferences": self.settings_asked.emit,
            "guide": self.dialogs.open_guide,
            "join": self.dialogs.open_join,
            "keys": self.dialogs.open_keys,
            "doctor": self.dialogs.open_doctor,
            "about": self.dialogs.open_about,
            "show": self.come_forward,
            "quit": self.close,
            "choose-avatar": self.focus_gallery,
            "choose-camera": lambda: self.reveal("camera"),
            "choose-output": lambda: self.reveal("output"),
            "choose-microphone": lambda: self.reveal("microphone"),
            "choose-model": lambda: self.reveal("model"),
        }

    def _connect(self) -> None:
        self.actions_.done.connect(self.refresh)
        self.actions_.said.connect(self.say)
        self.actions_.failed.connect(self.notify)
        self.presenter.refreshed.connect(self.refreshed)
        self.preferences.changed.connect(self.apply_preferences)
        self.preferences.problem.connect(self._report_settings)

    @property
    def status(self) -> Status:
        """Return the status that was shown last."""
        return self.presenter.status

    @property
    def gallery(self) -> Gallery:
        return self.view.gallery

    @property
    def notices(self) -> NoticeBar:
        return self.view.area.notices

    def _new_view(self) -> WindowView:
        """Build everything in the current language."""
        self.shortcuts.rename()
        self._menus = Menus(self, self.shortcuts, BackgroundMenu(self.live, self))
        view = WindowView(self.live, self.library, self.preferences, self.devices, self._menus)
        view.gallery.chosen.connect(self._use)
        view.gallery.take_drops_on(view)
        view.gallery.problem.connect(self._report_gallery)
        view.gallery.said.connect(self.say)
        for part in (view.header, view.area, view.tools):
            part.asked.connect(self.actions_.do)
        view.panel.output.fix.clicked.connect(self.dialogs.open_join)
        view.panel.model.cuda.clicked.connect(self.dialogs.open_cuda)
        view.area.notices.acted.connect(self.actions_.handle_notice)
        view.area.camera.face_asked.connect(self.live.follow_face)
        mouse = view.area.mouse
        mouse.panned.connect(self.actions_.pan)
        mouse.turned.connect(lambda steps: self.actions_.zoom(0.05 * steps))
        mouse.swap.connect(view.area.swap)
        mouse.full_screen.connect(self.toggle_full_screen)
        view.area.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.area.customContextMenuRequested.connect(self._open_picture_menu)
        self.setCentralWidget(view)
        self.setMinimumSize(view.minimumSizeHint())
        return view

    def _open_picture_menu(self, place: QPoint) -> None:
        self._menus.picture.popup(self.view.area.mapToGlobal(place))

    def speak(self) -> None:
        """Show everything in the application's new language."""
        before = self.view
        is_open, entry = before.drawer_open, before.gallery.entry
        before.gallery.stop()
        self.view = self._new_view()
        self.view.area.notices.take_over(before.area.notices)
        self.view.show()
        before.deleteLater()
        self.view.open_drawer(is_open)
        self.view.set_full_screen(before.full_screen)
        self.view.gallery.mark(entry)
        self.apply_preferences()
        self.refresh()

    def refresh(self) -> None:
        """Show the current status."""
        self.presenter.refresh()

    def poll_pictures(self) -> None:
        """Show the newest pictures."""
        self.presenter.poll_pictures()

    def apply_preferences(self) -> None:
        """Apply the settings."""
        self.presenter.show_keys()
        self.presenter.show_overlays()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "view"):
            self.view.draw_icons()
        super().changeEvent(event)

    def _use(self, entry: Entry) -> None:
        self.live.change(avatar=entry.path, avatar_box=entry.box, avatar_turn=entry.turn, avatar_face=0)
        self.refresh()

    def _report_gallery(self, message: Text, hint: Text) -> None:
        self.notify(Notice("gallery", "warning", message, hint))

    def _report_settings(self, message: Text, hint: Text) -> None:
        if message:
            self.notify(Notice("settings", "warning", message, hint))
        else:
            self.notices.remove("settings")

    # Methods for actions.

    def say(self, text: str, actions: dict[str, Callable[[], object]] | None = None) -> None:
        """Show what was just done, with actions for it: label -> function."""
        self.view.area.toast.say(text, actions)

    def notify(self, notice: Notice) -> None:
        """Show a notice of the window's own."""
        self.notices.add(notice)

    def swap_views(self) -> None:
        self.view.area.swap()

    def choose(self, entry: Entry) -> None:
        """Use this photo as the avatar."""
        self.gallery.choose(entry)

    def select(self, path: Path | str) -> None:
        """Use the photo with this path or file name as the avatar."""
        self.gallery.select(path)

    def toggle_panel(self) -> None:
        self.view.open_drawer(self.view.drawer.isHidden())

    def toggle_full_screen(self) -> None:
        """Show only the picture on the whole screen, or leave that mode."""
        on = not self.view.full_screen
        self.view.set_full_screen(on)
        self.setWindowState(
            self.windowState() | Qt.WindowState.WindowFullScreen
            if on
            else self.windowState() & ~Qt.WindowState.WindowFullScreen
        )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close what lies over the picture with Escape, one after the other."""
        if event.key() == Qt.Key.Key_Escape and self.view.full_screen:
            self.toggle_full_screen()
        elif event.key() == Qt.Key.Key_Escape and not self.view.drawer.isHidden() and self.view.is_narrow():
            self.toggle_panel()
        else:
            super().keyPressEvent(event)

    def reveal(self, section: str) -> None:
        """Show a section of the settings panel."""
        if self.view.full_screen:
            self.toggle_full_screen()
        self.view.open_drawer(True)
        self.view.panel.reveal(section)

    def focus_gallery(self) -> None:
        self.gallery.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def come_forward(self) -> None:
        """Bring the window to the front, with the focus."""
        bring_to_front(self)

    def quit(self) -> None:
        """End the app without a question, for other programs and signals."""
        self._quit_question.sure = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        """End the app with its window, even if there is a tray icon.

        No camera stays on out of sight.
        """
        live = self.status.shows != "card" and is_sent(self.status, self.live.controls)
        if live and not self._quit_question.may_go():
            event.ignore()
            return
        self._place.remember(self.view.drawer_open)
        self.presenter.stop()
        self.preferences.save()
        event.accept()
        self.ended.emit()
