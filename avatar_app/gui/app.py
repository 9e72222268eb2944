"""Start the window, or hand over to the instance that is already running."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

from avatar_app.ending import ENDING
from avatar_app.errors import AvatarError
from avatar_app.gui.one_instance import hand_over
from avatar_app.text import Text

QT_VARIABLES = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def clear_qt_variables(environment: MutableMapping[str, str] = os.environ) -> None:
    """Remove the variables that importing cv2 sets on Linux.

    Its wheel points Qt to plug-ins and fonts of its own, with which PySide6 cannot start. Values set by the
    user stay.
    """
    for name in QT_VARIABLES:
        if "cv2" in Path(environment.get(name, "")).parts:
            del environment[name]


def require_screen(environment: MutableMapping[str, str] = os.environ, system: str = sys.platform) -> None:
    """Raise AvatarError without a screen.

    Qt would end the process without a useful message.
    """
    if system.startswith("linux") and not any(
        environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise AvatarError(
            Text("There is no screen to open a window on."),
            Text("Use the command `live` for a call without a window."),
        )


def run_window(arguments: argparse.Namespace) -> int:
    """Show the window until it is closed; return the exit code.

    Raises AvatarError if a running instance cannot take over.
    """
    if hand_over(arguments):
        return 0
    require_screen()
    ENDING.call_instead(ENDING.end_now)  # an exception would be raised inside Qt's code; nothing is open yet
    import cv2  # noqa: F401  # here, so that what it does to the environment is undone before Qt looks at it

    clear_qt_variables()
    from PySide6.QtWidgets import QApplication

    application = QApplication(sys.argv[:1])
    application.setApplicationName("avatar-app")
    application.setApplicationDisplayName("Avatar")
    application.setDesktopFileName("avatar-app")
    from avatar_app.gui.garbage import collect_here
    from avatar_app.gui.start import Started

    collect_here(application)
    started = Started(application, arguments)
    started.show()
    code = application.exec()
    started.close()
    if started.refused is not None:
        raise started.refused
    return code
