"""The guide for the first start: camera, avatar, calibrate, join the call.

It can be left at any time and opened again.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.guide.join_page import JoinPage
from avatar_app.gui.guide.pages import AvatarPage, CalibratePage, CameraPage
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.shortcuts import action_keys, key_text
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import STRETCH, fill, label
from avatar_app.photos.library import Entry, Library
from avatar_app.text import Text, join

POLL_MS = 33
SIZE = QSize(880, 690)


class Guide(QDialog):
    """Four steps, each of which takes effect at once.

    ``chosen`` carries the photo's path.
    """

    LAST = 3
    chosen = Signal(Path)

    def __init__(
        self,
        live: Live,
        library: Library,
        preferences: Preferences,
        devices: DeviceLists,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._live, self._preferences = live, preferences
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("First steps"))
        self.camera = CameraPage(live, devices)
        self.avatar = AvatarPage(library)
        self.calibrate = CalibratePage()
        self.join = JoinPage(live, devices)
        self.pages = QStackedWidget()
        for page in (self.camera, self.avatar, self.calibrate, self.join):
            self.pages.addWidget(page)
        self._steps = [
            label(f"{number}  {text}")
            for number, text in enumerate(
                (self.tr("Camera"), self.tr("Avatar"), self.tr("Calibrate"), self.tr("Join the call")), 1
            )
        ]
        self.back, self.forward = QPushButton(self.tr("&Back")), QPushButton()
        self.skip = QPushButton(self.tr("&Skip"))
        self._build()
        self._connect()
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        if live.controls.avatar is not None:
            self.avatar.gallery.select(live.controls.avatar)
        self._fit_screen()
        self.show_step(0)

    def _build(self) -> None:
        steps = QHBoxLayout()
        steps.setSpacing(8)
        for step in self._steps:
            step.setAlignment(Qt.AlignmentFlag.AlignCenter)
            step.setMinimumHeight(28)
            steps.addWidget(step, 1)
        self.skip.setProperty("role", "plain")
        self.forward.setProperty("role", "primary")
        self.forward.setDefault(True)
        for button in (self.back, self.skip):
            button.setAutoDefault(False)
        buttons = fill(QHBoxLayout(), self.skip, STRETCH, self.back, self.forward)
        fill(QVBoxLayout(self), steps, (self.pages, 1), buttons, margins=(22, 18, 22, 18), spacing=14)

    def _connect(self) -> None:
        gallery, panel, keys = self.avatar.gallery, self.calibrate.panel, self._preferences.now.keys
        gallery.take_drops_on(self)
        gallery.chosen.connect(self._chosen)
        gallery.problem.connect(self._show_problem)
        panel.asked.connect(self._asked)
        self.back.clicked.connect(lambda: self.show_step(self.pages.currentIndex() - 1))
        self.forward.clicked.connect(self._go_on)
        self.skip.clicked.connect(self.reject)
        self.finished.connect(self._end)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self, gallery.paste)
        names = ("calibrate", "find-best", "ghost")
        for name in names:
            for key in action_keys(name, keys):
                QShortcut(key, self, lambda name=name: self._asked(name))
        panel.set_keys(*(key_text(name, keys) for name in names))

    def _fit_screen(self) -> None:
        room = self.screen().availableGeometry().size() - QSize(16, 48)
        self.resize(SIZE.boundedTo(room))

    def _end(self) -> None:
        self._timer.stop()
        self._live.change(seeking=False)
        self._preferences.change(first_run_done=True)
        self.avatar.gallery.stop()

    def show_step(self, number: int) -> None:
        """Show a step, 0 to ``LAST``.

        Users without an avatar get the first one, so that there is a picture when needed.
        """
        self.pages.setCurrentIndex(number)
        for place, step in enumerate(self._steps):
            restyle(step, badge="info" if place == number else "good" if place < number else "none")
        self.back.setVisible(number > 0)
        self.forward.setText(self.tr("&Done") if number == self.LAST else self.tr("&Next"))
        self.skip.setVisible(number < self.LAST)
        if number == 1 and self._live.controls.avatar is None:
            self.avatar.gallery.next()
        first = (self.forward, self.avatar.gallery, self.calibrate.panel.calibrate, self.forward)
        first[number].setFocus()

    def _chosen(self, entry: Entry) -> None:
        self.avatar.problem.hide()
        self.chosen.emit(entry.path)

    def _show_problem(self, message: Text, hint: Text) -> None:
        """Show a photo's problem beside the gallery.

        It may have been dropped or pasted at another step.
        """
        self.avatar.problem.setText(in_user_language(join([message, hint])))
        self.avatar.problem.show()
        self.show_step(1)

    def _go_on(self) -> None:
        if self.pages.currentIndex() == self.LAST:
            self.accept()
        else:
            self.show_step(self.pages.currentIndex() + 1)

    def _asked(self, action: str) -> None:
        if self.pages.currentWidget() is not self.calibrate:
            return
        if action == "calibrate":
            self._live.recalibrate()
        elif action == "find-best":
            self._live.change(seeking=not self._live.controls.seeking)
        elif action == "ghost":
            self._preferences.change(show_ghost=not self._preferences.now.show_ghost)

    def poll(self) -> None:
        """Show the newest pictures and the status."""
        page, status = self.pages.currentWidget(), self._live.status()
        self.avatar.gallery.show_used(status.avatar)
        if page is self.camera:
            self.camera.show_now(self._live, self._preferences.now)
        elif page is self.calibrate:
            self.calibrate.show_now(self._live, self._preferences.now)
            restyle(self.forward, role="primary" if status.calibrated else "")
            self.calibrate.panel.emphasise(not status.calibrated)
        elif page is self.join:
            self.join.show_now()
        if page is not self.calibrate:
            restyle(self.forward, role="primary")
