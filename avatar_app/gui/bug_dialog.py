"""What happens when nobody catches an exception: it is logged, and the user is told once."""

from __future__ import annotations

import logging
import sys
import threading
from types import TracebackType

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QMessageBox

log = logging.getLogger(__name__)


class BugDialog:
    """Logs what nobody caught, with its stack, and tells the user once: a bug that repeats must not bury them in dialogs."""

    def __init__(self) -> None:
        self._box: object = None  # kept, or Python would take it away where no window is its parent

    def install(self) -> None:
        sys.excepthook = self.heed
        threading.excepthook = lambda bug: self.log(bug.exc_type, bug.exc_value, bug.exc_traceback)

    def log(
        self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        log.error("a bug", exc_info=(kind, error or kind(), traceback))

    def heed(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """In the window's thread."""
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        self.log(kind, error, traceback)
        if self._box is not None:
            return
        self._box = box = QMessageBox(QApplication.activeWindow())
        box.setObjectName("bug")
        box.setIcon(QMessageBox.Icon.Critical)
        box.setWindowTitle(QCoreApplication.translate("BugDialog", "Something went wrong"))
        box.setText(
            QCoreApplication.translate(
                "BugDialog", "Something went wrong that should not have. The call goes on."
            )
        )
        box.setInformativeText(f"{kind.__name__}: {error}")
        box.open()
