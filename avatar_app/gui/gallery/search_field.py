"""The search field of the gallery, shown on request or if there are many photos."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

MANY = 12
"""Number of photos above which the field is always shown."""


class SearchField(QLineEdit):
    """A search field for photos.

    Args:
        title: placeholder and accessible name.
    """

    def __init__(self, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._wanted = False
        self.setClearButtonEnabled(True)
        self.setPlaceholderText(title)
        self.setAccessibleName(title)

    def open(self) -> None:
        """Show and focus the field."""
        self._wanted = True
        self.show()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def end(self, photos: int) -> None:
        """End the search."""
        self._wanted = False
        self.clear()
        self.show_for(photos)

    def show_for(self, photos: int) -> None:
        """Show or hide the field for this number of photos; hidden, it is empty."""
        shown = self._wanted or photos > MANY
        self.setVisible(shown)
        if not shown:
            self.clear()
