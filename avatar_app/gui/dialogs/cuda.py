"""The dialog that fetches PyTorch for an NVIDIA card, or removes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from avatar_app.cuda.fetch import Progress, fetch
from avatar_app.cuda.folder import join_path, look, partial, remove
from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import STRETCH, fill, label
from avatar_app.paths import user_pytorch
from avatar_app.text import join

GIGA, STEPS = 1e9, 1000


class CudaDialog(QDialog):
    """Fetches and removes PyTorch; closing it stops the download.

    ``changed`` is emitted when the app may compute on the card, or no longer; ``chosen`` when it shall.

    Args:
        device: chosen name of a device, as in `Controls`.
    """

    changed = Signal()
    chosen = Signal()
    _progressed = Signal(object)

    def __init__(self, parent: QWidget | None = None, device: str = "auto") -> None:
        super().__init__(parent)
        self._wanted = device == "auto" or device.partition(":")[0] == "cuda"
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Use my NVIDIA card"))
        self.resize(520, 240)
        self._background = Background(self)
        self._stop: threading.Event | None = None
        self.says = label("", wrap=True)
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.how_far = label("", "muted", wrap=True)
        self.begin = QPushButton(self.tr("Download"))
        self.undo = QPushButton(self.tr("Remove"))
        self.use = QPushButton(self.tr("Use the card now"))
        self.leave = QPushButton(self.tr("Close"))
        for button in (self.begin, self.use):
            restyle(button, role="primary")
        self.begin.clicked.connect(self._fetch)
        self.undo.clicked.connect(self._remove)
        self.use.clicked.connect(self._choose)
        self.leave.clicked.connect(self._leave)
        buttons = fill(QHBoxLayout(), self.undo, STRETCH, self.begin, self.use, self.leave)
        fill(QVBoxLayout(self), self.says, self.bar, self.how_far, STRETCH, buttons, margins=18, spacing=12)
        self._progressed.connect(self._show_progress)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._give_up)
        self._rest(self._state())

    def closeEvent(self, event: QCloseEvent) -> None:
        self._give_up()
        super().closeEvent(event)

    def reject(self) -> None:
        self._give_up()
        super().reject()

    def _state(self) -> str:
        state, version = look()
        if state == "ready":
            return self._how(self.tr("PyTorch {0} is there for your NVIDIA card.").format(version))
        if state == "unfit":
            return self.tr("PyTorch {0} is there, but no longer fits the app. Download it again.").format(
                version
            )
        return self.tr(
            "Your card needs PyTorch, some gigabytes, from pytorch.org. It is kept in your own folder, {0}, "
            "and can be removed here at any time."
        ).format(user_pytorch())

    def _how(self, says: str) -> str:
        """Add what keeps the card from being used."""
        if self._wanted:
            return says
        return says + " " + self.tr("The app is set to use another device.")

    def _rest(self, says: str) -> None:
        """Show the state while nothing runs."""
        self._stop = None
        state = look()[0]
        self.says.setText(says)
        self.bar.hide()
        self.how_far.hide()
        self.begin.setVisible(state != "ready")
        self.begin.setEnabled(True)
        self.undo.setVisible(state != "absent" or partial().exists())
        self.undo.setEnabled(True)
        self.use.setVisible(state == "ready" and not self._wanted)
        self.leave.setText(self.tr("Close"))
        self.leave.setEnabled(True)

    def _fetch(self) -> None:
        stop = self._stop = threading.Event()
        self.says.setText(
            self.tr("PyTorch for your NVIDIA card is being downloaded. A running call goes on meanwhile.")
        )
        self.bar.setRange(0, 0)  # it moves until the size is known
        self.bar.show()
        self.how_far.setText("")
        self.how_far.show()
        self.begin.setEnabled(False)
        self.undo.setEnabled(False)
        self.leave.setText(self.tr("Stop"))
        say = self._progressed.emit
        self._background.run(lambda: _fetched(say, stop), self._fetched, self._failed)

    def _show_progress(self, progress: Progress) -> None:
        if self._stop is None or self._stop.is_set():
            return
        total = sum(progress.sizes.values())
        if progress.trying:
            self.bar.setRange(0, 0)
            self.how_far.setText(self.tr("Trying it on your card..."))
        elif total:
            self.bar.setRange(0, STEPS)
            self.bar.setValue(round(progress.share * STEPS))
            words = self.tr("{0} GB to download; {1} GB are unpacked so far.")
            self.how_far.setText(words.format(f"{total / GIGA:.1f}", f"{progress.written / GIGA:.1f}"))

    def _fetched(self, version: str) -> None:
        if not version:
            self._rest(self.tr("Stopped. Nothing was kept."))
        elif join_path():
            done = self.tr("Done: PyTorch {0} works on your card.").format(version)
            soon = self.tr("The app will switch to the card in a moment.")
            self._rest(f"{done} {soon}" if self._wanted else self._how(done))
            self.changed.emit()
        else:
            self._rest(self._how(self.tr("Done. Start the app again to use your card.")))

    def _failed(self, error: AvatarError) -> None:
        self._rest(in_user_language(join([error.message, error.hint])))

    def _choose(self) -> None:
        self._wanted = True
        self._rest(
            self.tr("The app will switch to the card in a moment.")
            if join_path()
            else self.tr("Start the app again to use your card.")
        )
        self.chosen.emit()
        self.changed.emit()

    def _remove(self) -> None:
        self.begin.setEnabled(False)
        self.undo.setEnabled(False)
        self._background.run(remove, self._removed, self._failed)

    def _removed(self, whole: bool) -> None:
        self._rest(
            self._state()
            if whole
            else self.tr("Removed. Some files are in use: start the app again and press Remove once more.")
        )
        self.changed.emit()

    def _leave(self) -> None:
        if self._stop is None:
            self.accept()
        else:
            self._give_up()
            self.leave.setEnabled(False)

    def _give_up(self) -> None:
        if self._stop is not None:
            self._stop.set()


def _fetched(say: Callable[[Progress], object], stop: threading.Event) -> str:
    from avatar_app.doctor.nvidia import backend, find_card  # loads the engines' libraries, so in the thread

    def show(progress: Progress) -> None:
        with suppress(RuntimeError):  # the dialog is gone
            say(progress)

    return fetch(backend(find_card()), show=show, stop=stop)
