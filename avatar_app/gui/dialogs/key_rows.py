"""A list of actions with keys that can be changed."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QGridLayout, QKeySequenceEdit, QLabel, QLineEdit, QPushButton, QWidget

from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import label, tip

TEXT = QKeySequence.SequenceFormat.NativeText

KEY_WIDTH = 220  # for Ctrl+Alt+Shift+PgDown, and for Qt's longest placeholder, which is Russian


def written(sequence: QKeySequence, everywhere: bool = False) -> str:
    """Return a key in its stored form.

    Hotkeys that work ``everywhere`` mean the key with that label; Qt swaps two of them on macOS.
    """
    text = sequence.toString()
    return _swapped(text) if everywhere and sys.platform == "darwin" else text


def read(text: str, everywhere: bool = False) -> QKeySequence:
    """Invert :func:`written`."""
    return QKeySequence.fromString(_swapped(text) if everywhere and sys.platform == "darwin" else text)


def _swapped(text: str) -> str:
    names = {"Ctrl": "Meta", "Meta": "Ctrl"}
    return "+".join(names.get(part, part) for part in text.split("+"))


class KeyRows(QWidget):
    """Rows of actions; ``chosen`` holds the changed keys, as in settings.

    An empty text removes the key.

    Args:
        texts: name of an action -> description.
        defaults: name of an action -> its keys.
        chosen: the user's changes.
        everywhere: they are hotkeys that work in all windows.
    """

    changed = Signal()

    def __init__(
        self,
        texts: Mapping[str, str],
        defaults: Mapping[str, tuple[str, ...]],
        chosen: Mapping[str, str],
        everywhere: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._defaults, self._everywhere = defaults, everywhere
        self.chosen = {name: text for name, text in chosen.items() if name in texts}
        self.edits: dict[str, QKeySequenceEdit] = {}
        self.names: dict[str, QLabel] = {}
        self.resets: dict[str, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(4, 4, 8, 4)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        for row, (name, text) in enumerate(texts.items()):
            self._add(grid, row, name, text)
        grid.setRowStretch(len(texts), 1)

    def reset_all(self) -> None:
        """Give every action its default keys."""
        self.chosen.clear()
        for name in self.edits:
            self._show(name)
        self.changed.emit()

    def mark(self, names: set[str]) -> None:
        """Highlight rows with problems."""
        for name, text in self.names.items():
            restyle(text, role="problem" if name in names else "")

    def _add(self, grid: QGridLayout, row: int, name: str, text: str) -> None:
        words = label(text, wrap=True)
        edit = QKeySequenceEdit()
        edit.setMaximumSequenceLength(1)
        edit.setClearButtonEnabled(True)
        edit.setFixedWidth(KEY_WIDTH)
        for part in (edit, *edit.findChildren(QLineEdit)):
            part.setAccessibleName(text)
        words.setBuddy(edit)
        reset = QPushButton("↺")
        reset.setProperty("role", "plain")
        reset.setFixedWidth(34)
        reset.setAutoDefault(False)
        policy = reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        reset.setSizePolicy(policy)
        self.names[name], self.edits[name], self.resets[name] = words, edit, reset
        self._show(name)
        edit.keySequenceChanged.connect(lambda sequence: self._take(name, sequence))
        reset.clicked.connect(lambda: self._reset(name))
        for column, widget in enumerate((words, edit, reset)):
            grid.addWidget(widget, row, column, Qt.AlignmentFlag.AlignVCenter)

    def _take(self, name: str, sequence: QKeySequence) -> None:
        text, defaults = written(sequence, self._everywhere), self._defaults[name]
        if text == (defaults[0] if defaults else ""):
            self.chosen.pop(name, None)
        else:
            self.chosen[name] = text
        self._show_reset(name)
        self.changed.emit()

    def _reset(self, name: str) -> None:
        self.chosen.pop(name, None)
        self._show(name)
        self.changed.emit()

    def _show(self, name: str) -> None:
        defaults = self._defaults[name]
        edit = self.edits[name]
        blocked = edit.blockSignals(True)
        edit.setKeySequence(read(self.chosen.get(name, defaults[0] if defaults else ""), self._everywhere))
        edit.blockSignals(blocked)
        self._show_reset(name)

    def _show_reset(self, name: str) -> None:
        keys = [read(key, self._everywhere).toString(TEXT) for key in self._defaults[name]]
        reset, edit = self.resets[name], self.edits[name]
        reset.setVisible(name in self.chosen)
        back = self.tr("Back to {key}").format(key=", ".join(keys) or self.tr("no key"))
        reset.setToolTip(tip(back))
        reset.setAccessibleName(back)
        reset.setAccessibleName(reset.toolTip())
        also = name not in self.chosen and keys[1:]
        edit.setToolTip(tip(self.tr("Also: {keys}").format(keys=", ".join(keys[1:]))) if also else "")
