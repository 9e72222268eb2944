"""Bring a window to the front at a request from another program."""

from __future__ import annotations

import logging

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

log = logging.getLogger(__name__)

BY_THE_USER = 2
"""Source of an activation in the extended window manager hints: a direct request of the user, which no focus
protection refuses.
"""


def bring_to_front(window: QWidget) -> None:
    """Show, raise and activate a window.

    Even if the window manager protects the focus of the window in front.
    """
    window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
    window.show()
    window.raise_()
    window.activateWindow()
    if QGuiApplication.platformName() == "xcb":
        try:
            _activate_on_x11(int(window.winId()))
        except Exception:  # the window manager then marks the window in its own way
            log.info("the window could not be activated", exc_info=True)


def _activate_on_x11(window: int) -> None:
    from Xlib import X
    from Xlib.display import Display
    from Xlib.protocol.event import ClientMessage

    display = Display()
    try:
        root = display.screen().root
        wish = display.intern_atom("_NET_ACTIVE_WINDOW")
        message = ClientMessage(
            window=display.create_resource_object("window", window),
            client_type=wish,
            data=(32, [BY_THE_USER, 0, 0, 0, 0]),
        )
        root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
        display.flush()
    finally:
        display.close()
