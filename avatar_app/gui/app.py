"""Starts the window: one instance, the theme, the session in the background, and what happens with bugs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType

from avatar_app.control.server import NotRunning, send_command
from avatar_app.errors import AvatarError

log = logging.getLogger(__name__)

OPTIONS = ("source", "model", "device", "output")
"""Options of the command line that replace what the settings say; the avatar is another."""
QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def clear_qt_variables(environment: MutableMapping[str, str] = os.environ) -> None:
    """Undo what importing cv2 does on Linux: its wheel points Qt to plug-ins and fonts of its own, with which PySide6 cannot start.

    What the user has set is left alone.
    """
    for name in QT_VARIABLES:
        if "cv2" in Path(environment.get(name, "")).parts:
            del environment[name]


def hand_over(arguments: argparse.Namespace) -> bool:
    """Leave it to the instance that runs already, if there is one: its window comes to the front and takes the avatar.

    Two sessions beside each other would fight for the camera. Raises AvatarError where that instance has no window, does not answer or
    cannot take what is wanted: nothing is dropped in silence.
    """
    try:
        _require(send_command("raise"))
    except NotRunning:
        return False
    left = [f"--{name}" for name in OPTIONS if getattr(arguments, name, None) is not None]
    if left:
        message = f"The app is running already; its window came to the front, but does not take over {', '.join(left)}."
        raise AvatarError(message, "Choose it there, or end the app first.")
    if getattr(arguments, "avatar", None) is not None:
        _require(send_command(f"avatar {arguments.avatar}"))
    return True


def _require(answer: Mapping[str, object]) -> None:
    """Raises AvatarError where a running instance refuses."""
    if not answer["ok"]:
        raise AvatarError(str(answer["message"]), str(answer.get("hint", "")))


def require_screen(environment: MutableMapping[str, str] = os.environ, system: str = sys.platform) -> None:
    """Raises AvatarError where there is no screen: Qt would end the process without a word of use."""
    if system.startswith("linux") and not any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise AvatarError(
            "There is no screen to open a window on.", "Use the command `live` for a call without a window."
        )


def run_window(arguments: argparse.Namespace) -> int:
    """Show the window until it is closed; returns the exit code. Raises AvatarError where a running instance cannot take what is wanted."""
    if hand_over(arguments):
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
    if started.refused is not None:
        raise started.refused
    return code


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
        box.setText(
            QCoreApplication.translate(
                "BugDialog", "Something went wrong that should not have. The call goes on."
            )
        )
        box.setInformativeText(f"{kind.__name__}: {error}")
        box.open()
