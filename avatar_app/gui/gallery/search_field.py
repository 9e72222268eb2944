"""The search field of the gallery.

Shown on request, and always where there are many photos.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QWidget

MANY = 12
"""The field is always there when there are more photos than this."""


class SearchField(QLineEdit):
    """Text to find photos by.

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
        """Show the field and put the cursor into it."""
        self._wanted = True
        self.show()
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def end(self, photos: int) -> None:
        """Search no longer."""
        self._wanted = False
        self.clear()
        self.show_for(photos)

    def show_for(self, photos: int) -> None:
        """Show or hide the field for this number of photos; hidden, it is empty."""
        shown = self._wanted or photos > MANY
        self.setVisible(shown)
        if not shown:
            self.clear()
