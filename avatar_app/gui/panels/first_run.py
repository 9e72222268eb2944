"""The guide for the first start: camera, avatar, calibrate. It can be left at any time and opened again."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.panels.calibration import CalibrationPanel
from avatar_app.gui.panels.choosers import SourceChooser
from avatar_app.gui.panels.preview import CameraView, Shown
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.shortcuts import action_keys, key_text
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import label
from avatar_app.photos.library import Entry, Library

POLL_MS = 33


class FirstRun(QDialog):
    """Three steps, each of which takes effect at once. ``chosen`` carries the photo's path."""

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
        self.resize(760, 700)
        self.source = SourceChooser(live, devices)
        self.gallery = Gallery(library)
        self.gallery.take_drops_on(self)
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.calibration = CalibrationPanel()
        self.calibration.setFixedHeight(self.calibration.least() + 20)
        self.calibration.set_room(self.width(), self.calibration.height())
        self.views = (CameraView(), CameraView())
        self.pages = QStackedWidget()
        self._steps = [
            label(text) for text in (self.tr("1  Camera"), self.tr("2  Avatar"), self.tr("3  Calibrate"))
        ]
        self.back, self.forward, self.skip = (
            QPushButton(self.tr("Back")),
            QPushButton(),
            QPushButton(self.tr("Skip")),
        )
        self._build()
        self.gallery.chosen.connect(self._chosen)
        self.gallery.problem.connect(self._tell)
        self.calibration.asked.connect(self._asked)
        self.back.clicked.connect(lambda: self.show_step(self.pages.currentIndex() - 1))
        self.forward.clicked.connect(self._go_on)
        self.skip.clicked.connect(self.reject)
        self.finished.connect(lambda _: preferences.change(first_run_done=True))
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self, self.gallery.paste)
        for name in ("calibrate", "find-best", "ghost"):
            for key in action_keys(name, preferences.now.keys):
                QShortcut(key, self, lambda name=name: self._asked(name))
        self.calibration.set_keys(
            *(key_text(name, preferences.now.keys) for name in ("calibrate", "find-best", "ghost"))
        )
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self.poll)
        self._timer.start()
        self.finished.connect(self._timer.stop)
        if live.controls.avatar is not None:
            self.gallery.select(live.controls.avatar)
        self.show_step(0)

    def _build(self) -> None:
        steps = QHBoxLayout()
        steps.setSpacing(8)
        for step in self._steps:
            step.setAlignment(Qt.AlignmentFlag.AlignCenter)
            steps.addWidget(step, 1)
        self.pages.addWidget(
            self._page(
                self.tr("Choose your camera"),
                self.tr(
                    "Sit so that light falls on your face from the front. "
                    "The camera's picture stays on this computer: calls only ever get the avatar."
                ),
                self.source,
                self.views[0],
            )
        )
        self.pages.addWidget(
            self._page(
                self.tr("Choose an avatar"),
                self.tr(
                    "Take one of these, or drop a photo of a face here: from the front, mouth closed, eyes open. "
                    "Use only photos of people who agree to it."
                ),
                self.problem,
                self.gallery,
            )
        )
        self.pages.addWidget(
            self._page(
                self.tr("Look like the photo, then calibrate"),
                self.tr(
                    "Bring head, mouth and eyes into the photo's pose, as well as you can. From then on the avatar moves as you do."
                ),
                self.views[1],
                self.calibration,
            )
        )
        buttons = QHBoxLayout()
        self.skip.setProperty("role", "plain")
        self.forward.setProperty("role", "primary")
        self.forward.setDefault(True)
        buttons.addWidget(self.skip)
        buttons.addStretch(1)
        buttons.addWidget(self.back)
        buttons.addWidget(self.forward)
        column = QVBoxLayout(self)
        column.setContentsMargins(22, 18, 22, 18)
        column.setSpacing(14)
        column.addLayout(steps)
        column.addWidget(self.pages, 1)
        column.addLayout(buttons)

    def _page(self, title: str, text: str, *pieces: QWidget) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addWidget(label(title, "title"))
        column.addWidget(label(text, "muted", wrap=True))
        for piece in pieces:
            column.addWidget(piece, 1 if isinstance(piece, CameraView | Gallery) else 0)
        return page

    def show_step(self, number: int) -> None:
        """0, 1 or 2."""
        self.pages.setCurrentIndex(number)
        for place, step in enumerate(self._steps):
            restyle(step, badge="info" if place == number else "good" if place < number else "none")
        self.back.setEnabled(number > 0)
        self.forward.setText(self.tr("Done") if number == self.pages.count() - 1 else self.tr("Next"))
        self.skip.setVisible(number < self.pages.count() - 1)
        (self.forward, self.gallery, self.calibration.calibrate)[number].setFocus()

    def _chosen(self, entry: Entry) -> None:
        self.problem.hide()
        self.chosen.emit(entry.path)

    def _tell(self, message: str, hint: str) -> None:
        """What is wrong with a photo, beside the gallery: it may have been dropped or pasted at another step."""
        self.problem.setText(f"{message} {hint}")
        self.problem.show()
        self.show_step(1)

    def _go_on(self) -> None:
        if self.pages.currentIndex() == self.pages.count() - 1:
            self.accept()
        else:
            self.show_step(self.pages.currentIndex() + 1)

    def _asked(self, action: str) -> None:
        if self.pages.currentIndex() != self.pages.count() - 1:
            return
        if action == "calibrate":
            self._live.recalibrate()
        elif action == "find-best":
            self._live.change(seeking=not self._live.controls.seeking)
        elif action == "ghost":
            self._preferences.change(show_ghost=not self._preferences.now.show_ghost)

    def poll(self) -> None:
        """Show the newest picture of the camera and how the pose fits."""
        status, now, step = self._live.status(), self._preferences.now, self.pages.currentIndex()
        view = self.views[0 if step == 0 else 1]
        view.shown = Shown(
            box=True,
            ghost=now.ghost_opacity if now.show_ghost and step == 2 else 0.0,
            mirrored=now.mirror_preview,
        )
        trouble = next((notice for notice in status.notices if notice.about == "camera"), None)
        view.set_text(
            f"{in_user_language(trouble.message)} {in_user_language(trouble.hint)}"
            if trouble
            else self.tr("Waiting for the camera...")
        )
        view.show_portrait(self._live.portrait())
        view.show_seen(self._live.seen())
        self.calibration.show_portrait(self._live.portrait())
        self.calibration.find_best.setChecked(self._live.controls.seeking)
        self.calibration.ghost.setChecked(now.show_ghost)
        self.calibration.show_status(status)
