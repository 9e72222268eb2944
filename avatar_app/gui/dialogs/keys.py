"""The table of keys."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from avatar_app.gui.shortcuts import ACTIONS, action_text, key_text
from avatar_app.gui.style.widgets import fill, label
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS


class KeysDialog(QDialog):
    """Keys of the window, and those that work everywhere.

    Args:
        chosen: ``settings.keys``.
        hotkeys: ``settings.hotkeys``.
    """

    def __init__(
        self, chosen: Mapping[str, str], hotkeys: Mapping[str, str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Shortcuts"))
        self.resize(460, 560)
        everywhere = {
            "recalibrate": self.tr("Calibrate, from anywhere"),
            "pause": self.tr("Pause, from anywhere"),
            "next": self.tr("Next avatar, from anywhere"),
            "previous": self.tr("Previous avatar, from anywhere"),
        }
        rows = [(text, hotkeys.get(name, DEFAULT_HOTKEYS[name])) for name, text in everywhere.items()]
        rows += [(action_text(name), key_text(name, chosen)) for name in ACTIONS]
        rows = [entry for entry in rows if entry[1]]
        self.table = QTableWidget(len(rows), 2)
        self.table.setAccessibleName(self.tr("Shortcuts"))
        self.table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.table.horizontalHeader().hide()
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        for number, texts in enumerate(rows):
            for place, text in enumerate(texts):
                self.table.setItem(number, place, QTableWidgetItem(text))
        note = label(
            self.tr(
                "They can be changed in Preferences. Keys that work everywhere need a desktop that allows "
                "them."
            ),
            "muted",
            wrap=True,
        )
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        buttons.setFocus()
        fill(QVBoxLayout(self), (self.table, 1), note, buttons, margins=16)
