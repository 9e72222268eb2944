"""All actions of the window with their keys, which the user can change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QEvent, QObject, Qt
from PySide6.QtGui import QAction, QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QWidget


class Action(NamedTuple):
    """A key or a menu entry of the window.

    Attributes:
        keys: defaults, in Qt's form.
        text: English, a str, for menus and the table of keys; ``action_text`` translates it.
    """

    keys: tuple[str, ...]
    text: object


ACTIONS = {
    "calibrate": Action(("X",), QT_TRANSLATE_NOOP("Actions", "Calibrate")),
    "find-best": Action(("F",), QT_TRANSLATE_NOOP("Actions", "Find the best moment")),
    "pause": Action(("P", "Space"), QT_TRANSLATE_NOOP("Actions", "Pause")),
    "pass-through": Action(("0",), QT_TRANSLATE_NOOP("Actions", "Show my real face...")),
    **{
        f"avatar-{number}": Action((str(number),), QT_TRANSLATE_NOOP("Actions", "Avatar %1"))
        for number in range(1, 10)
    },
    "previous-avatar": Action(("A",), QT_TRANSLATE_NOOP("Actions", "Previous avatar")),
    "next-avatar": Action(("D",), QT_TRANSLATE_NOOP("Actions", "Next avatar")),
    "random-avatar": Action(("Q",), QT_TRANSLATE_NOOP("Actions", "Random avatar")),
    "reload-avatars": Action(("L",), QT_TRANSLATE_NOOP("Actions", "Reload the gallery")),
    "express-smile": Action(("Ctrl+1",), QT_TRANSLATE_NOOP("Actions", "Smile")),
    "express-wink": Action(("Ctrl+2",), QT_TRANSLATE_NOOP("Actions", "Wink")),
    "express-surprise": Action(("Ctrl+3",), QT_TRANSLATE_NOOP("Actions", "Surprise")),
    "express-look": Action(("Ctrl+4",), QT_TRANSLATE_NOOP("Actions", "Look into the camera")),
    "hold": Action(("Ctrl+5",), QT_TRANSLATE_NOOP("Actions", "Keep the expression")),
    "landmarks": Action(("O",), QT_TRANSLATE_NOOP("Actions", "Show landmarks")),
    "ghost": Action(("G",), QT_TRANSLATE_NOOP("Actions", "Show the photo over the camera")),
    "ghost-less": Action(("Z",), QT_TRANSLATE_NOOP("Actions", "Photo over the camera: fainter")),
    "ghost-more": Action(("C",), QT_TRANSLATE_NOOP("Actions", "Photo over the camera: stronger")),
    "help-box": Action(("B",), QT_TRANSLATE_NOOP("Actions", "Show the frame around the face")),
    "statistics": Action(("I",), QT_TRANSLATE_NOOP("Actions", "Show statistics")),
    "mirror-preview": Action(("R",), QT_TRANSLATE_NOOP("Actions", "Mirror my preview")),
    "mirror-output": Action(("T",), QT_TRANSLATE_NOOP("Actions", "Mirror what others see")),
    "zoom-in": Action(("W",), QT_TRANSLATE_NOOP("Actions", "Zoom in")),
    "zoom-out": Action(("S",), QT_TRANSLATE_NOOP("Actions", "Zoom out")),
    "zoom-in-fine": Action(("Shift+W",), QT_TRANSLATE_NOOP("Actions", "Zoom in a little")),
    "zoom-out-fine": Action(("Shift+S",), QT_TRANSLATE_NOOP("Actions", "Zoom out a little")),
    "pan-up": Action(("U",), QT_TRANSLATE_NOOP("Actions", "Move up")),
    "pan-left": Action(("H",), QT_TRANSLATE_NOOP("Actions", "Move left")),
    "pan-down": Action(("J",), QT_TRANSLATE_NOOP("Actions", "Move down")),
    "pan-right": Action(("K",), QT_TRANSLATE_NOOP("Actions", "Move right")),
    "pan-up-fine": Action(("Shift+U",), QT_TRANSLATE_NOOP("Actions", "Move up a little")),
    "pan-left-fine": Action(("Shift+H",), QT_TRANSLATE_NOOP("Actions", "Move left a little")),
    "pan-down-fine": Action(("Shift+J",), QT_TRANSLATE_NOOP("Actions", "Move down a little")),
    "pan-right-fine": Action(("Shift+K",), QT_TRANSLATE_NOOP("Actions", "Move right a little")),
    "reset-view": Action(("Shift+Z",), QT_TRANSLATE_NOOP("Actions", "Reset zoom and position")),
    "record": Action(("Shift+R",), QT_TRANSLATE_NOOP("Actions", "Record")),
    "snapshot": Action(("Ctrl+S",), QT_TRANSLATE_NOOP("Actions", "Take a photo")),
    "add-photo": Action(("Ctrl+O",), QT_TRANSLATE_NOOP("Actions", "Add a photo...")),
    "paste-photo": Action(("Ctrl+V",), QT_TRANSLATE_NOOP("Actions", "Paste a photo")),
    "find-photo": Action(("Ctrl+F",), QT_TRANSLATE_NOOP("Actions", "Find a photo")),
    "undo": Action(("Ctrl+Z",), QT_TRANSLATE_NOOP("Actions", "Undo the removal of a photo")),
    "full-screen": Action(("F11",), QT_TRANSLATE_NOOP("Actions", "Full screen")),
    "swap-views": Action(("V",), QT_TRANSLATE_NOOP("Actions", "Swap the pictures")),
    "show-panel": Action(("F9",), QT_TRANSLATE_NOOP("Actions", "Settings")),
    "preferences": Action(("Ctrl+,",), QT_TRANSLATE_NOOP("Actions", "Preferences...")),
    "join": Action((), QT_TRANSLATE_NOOP("Actions", "Join a call...")),
    "guide": Action((), QT_TRANSLATE_NOOP("Actions", "First steps...")),
    "keys": Action(("F1",), QT_TRANSLATE_NOOP("Actions", "Shortcuts...")),
    "doctor": Action((), QT_TRANSLATE_NOOP("Actions", "Check this computer...")),
    "about": Action((), QT_TRANSLATE_NOOP("Actions", "About Avatar...")),
    "quit": Action(("Ctrl+Q",), QT_TRANSLATE_NOOP("Actions", "Quit")),
}
"""Name -> default keys and text. ``settings.keys`` uses these names."""

SWITCHES = {
    "pause",
    "find-best",
    "full-screen",
    "landmarks",
    "ghost",
    "help-box",
    "statistics",
    "mirror-preview",
    "mirror-output",
    "record",
    "hold",
    "show-panel",
}
"""Actions that are on or off."""

REPEATING = ("zoom", "pan", "ghost-less", "ghost-more")
"""Prefixes of actions that repeat while the key is held."""


def action_text(name: str) -> str:
    """Return an action's description in the user's language."""
    text = QCoreApplication.translate("Actions", str(ACTIONS[name].text))
    return text.replace("%1", name.removeprefix("avatar-"))


def action_keys(name: str, chosen: Mapping[str, str]) -> list[QKeySequence]:
    """Return the keys of an action.

    Args:
        chosen: ``settings.keys``, where an empty text removes the key.
    """
    keys = ACTIONS[name].keys if name not in chosen else (chosen[name],)
    return [QKeySequence.fromString(key) for key in keys if key]


def key_text(name: str, chosen: Mapping[str, str]) -> str:
    """Return the keys of an action in the system's notation."""
    return ", ".join(
        key.toString(QKeySequence.SequenceFormat.NativeText) for key in action_keys(name, chosen)
    )


def clashes(chosen: Mapping[str, str]) -> dict[str, list[str]]:
    """Return keys that more than one action has -> the names of these actions."""
    holders: dict[str, list[str]] = {}
    for name in ACTIONS:
        for key in action_keys(name, chosen):
            holders.setdefault(key.toString(), []).append(name)
    return {key: names for key, names in holders.items() if len(names) > 1}


class Shortcuts:
    """The actions of one window, also used by its menus and buttons.

    Args:
        owner: gets them all, so that their keys work wherever the focus is in it.
        triggered: called with an action's name when its key is pressed or its menu line is chosen.
    """

    def __init__(self, owner: QWidget, triggered: Callable[[str], None], chosen: Mapping[str, str]) -> None:
        self.actions: dict[str, QAction] = {}
        for name in ACTIONS:
            action = QAction(owner)
            action.setCheckable(name in SWITCHES)
            action.setAutoRepeat(name.startswith(REPEATING))
            action.triggered.connect(lambda _=False, name=name: triggered(name))
            owner.addAction(action)
            self.actions[name] = action
        self.rename()
        self.set_keys(chosen)

    def set_keys(self, chosen: Mapping[str, str]) -> None:
        for name, action in self.actions.items():
            action.setShortcuts(action_keys(name, chosen))

    def rename(self) -> None:
        """Set the texts again after the language has changed."""
        for name, action in self.actions.items():
            action.setText(action_text(name))

    def check(self, name: str, on: bool) -> None:
        """Show a switch as on or off without triggering it."""
        self.actions[name].setChecked(on)


COMING_BACK = (
    Qt.FocusReason.ActiveWindowFocusReason,
    Qt.FocusReason.PopupFocusReason,
    Qt.FocusReason.MenuBarFocusReason,
)
"""Reasons for which the focus returns, after another window, a list or a menu was in front."""


def focus_by_tab_alone(root: QWidget) -> None:
    """Keep the focus when a button or a list is clicked, so that Space still pauses.

    Keyboard users reach them with Tab, and there Space presses them.
    """
    for widget in root.findChildren(QWidget):
        if isinstance(widget, QAbstractButton | QComboBox) and widget.focusPolicy() != Qt.FocusPolicy.NoFocus:
            widget.setFocusPolicy(Qt.FocusPolicy.TabFocus)


class FocusedKeys(QObject):
    """Leaves Space to a button or a list that was reached with Tab.

    Elsewhere it is the window's key. Installed on the application.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._by_tab = False

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            event.type() == QEvent.Type.FocusIn
            and isinstance(event, QFocusEvent)
            and event.reason() not in COMING_BACK
        ):
            self._by_tab = event.reason() in (
                Qt.FocusReason.TabFocusReason,
                Qt.FocusReason.BacktabFocusReason,
            )
        elif event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            focused = QApplication.focusWidget()
            if (
                event.key() == Qt.Key.Key_Space
                and self._by_tab
                and isinstance(focused, QAbstractButton | QComboBox)
            ):
                event.accept()
                return True
        return False
