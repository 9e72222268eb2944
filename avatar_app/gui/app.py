"""Starts the window: one instance, the theme, the session in the background, and what happens with bugs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType

from avatar_app.control import send_command
from avatar_app.errors import AvatarError

log = logging.getLogger(__name__)

QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def clear_qt_variables(environment: MutableMapping[str, str] = os.environ) -> None:
    """Undo what importing cv2 does on Linux: its wheel points Qt to plug-ins and fonts of its own, with which PySide6 cannot start.

    What the user has set is left alone.
    """
    for name in QT_VARIABLES:
        if "cv2" in Path(environment.get(name, "")).parts:
            del environment[name]


def raise_running() -> bool:
    """Bring the window of an instance that runs already to the front; whether there is one with a window."""
    try:
        return bool(send_command("raise")["ok"])
    except AvatarError:
        return False


def require_screen(environment: MutableMapping[str, str] = os.environ, system: str = sys.platform) -> None:
    """Raises AvatarError where there is no screen: Qt would end the process without a word of use."""
    if system.startswith("linux") and not any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")):
        raise AvatarError("There is no screen to open a window on.", "Use the command `live` for a call without a window.")


def run_window(arguments: argparse.Namespace) -> int:
    """Show the window until it is closed; returns the exit code."""
    if raise_running():
        return 0
    require_screen()
    import cv2  # noqa: F401  # here, so that what it does to the environment is undone before Qt looks at it

    clear_qt_variables()
    from PySide6.QtWidgets import QApplication

    application = QApplication(sys.argv[:1])
    application.setApplicationName("avatar-app")
    application.setApplicationDisplayName("Avatar")
    application.setDesktopFileName("avatar-app")
    from avatar_app.gui.start import Started

    started = Started(application, arguments)
    started.window.show()
    code = application.exec()
    started.close()
    return code


class BugDialog:
    """Logs what nobody caught, with its stack, and tells the user once: a bug that repeats must not bury them in dialogs."""

    def __init__(self) -> None:
        self._box: object = None  # kept, or Python would take it away where no window is its parent

    def install(self) -> None:
        sys.excepthook = self.heed
        threading.excepthook = lambda bug: self.log(bug.exc_type, bug.exc_value, bug.exc_traceback)

    def log(self, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
        log.error("a bug", exc_info=(kind, error or kind(), traceback))

    def heed(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """In the window's thread."""
        from PySide6.QtCore import QCoreApplication
        from PySide6.QtWidgets import QApplication, QMessageBox

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
        box.setText(QCoreApplication.translate("BugDialog", "Something went wrong that should not have. The call goes on."))
        box.setInformativeText(f"{kind.__name__}: {error}")
        box.open()
