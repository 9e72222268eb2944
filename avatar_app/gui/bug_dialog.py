"""Handle uncaught exceptions: log them, and show the user one message."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from traceback import format_exception
from types import TracebackType

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QMessageBox

from avatar_app.gui.captures import show_file
from avatar_app.gui.style.widgets import message_box
from avatar_app.paths import user_log

log = logging.getLogger(__name__)


class BugDialog:
    """Logs uncaught exceptions with their traceback, and shows one message.

    A bug that repeats must not open many dialogs.
    """

    def __init__(self) -> None:
        self._box: object = None  # a reference, or Python would delete it without a parent window

    def install(self) -> None:
        sys.excepthook = self.handle
        threading.excepthook = lambda bug: self.log(bug.exc_type, bug.exc_value, bug.exc_traceback)

    def log(
        self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        log.error("a bug", exc_info=(kind, error or kind(), traceback))

    def handle(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        """Show the message, in the window's thread."""
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        self.log(kind, error, traceback)
        if self._box is not None:
            return
        translate = QCoreApplication.translate
        title = translate("BugDialog", "Something went wrong")
        text = translate("BugDialog", "Something went wrong that should not have. The call goes on.")
        more = f"{kind.__name__}: {error}"
        self._box = box = message_box(
            QApplication.activeWindow(), QMessageBox.Icon.Critical, title, text, more
        )
        box.setObjectName("bug")
        report = "".join(format_exception(kind, error, traceback))
        _offer(box, translate("BugDialog", "Copy"), lambda: QGuiApplication.clipboard().setText(report))
        _offer(box, translate("BugDialog", "Open log"), lambda: show_file(user_log()))
        box.addButton(QMessageBox.StandardButton.Close)
        box.open()


def _offer(box: QMessageBox, text: str, act: Callable[[], object]) -> None:
    """Add a button that does not close the box."""
    button = box.addButton(text, QMessageBox.ButtonRole.ActionRole)
    button.clicked.disconnect()
    button.clicked.connect(act)
