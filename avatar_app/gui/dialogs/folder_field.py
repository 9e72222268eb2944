"""A field to choose a folder, with a way back to the default."""

from __future__ import annotations

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from avatar_app.gui.style.widgets import ElidedLabel, fill


class FolderField(QWidget):
    """Chooses a folder; ``path`` is empty for the system's default."""

    def __init__(self, path: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self._text = ElidedLabel("muted")
        self.change = QPushButton(self.tr("Change..."))
        self.reset = QPushButton(self.tr("Reset"))
        for button in (self.change, self.reset):
            button.setAutoDefault(False)
        fill(QHBoxLayout(self), (self._text, 1), self.change, self.reset, margins=0)
        self.change.clicked.connect(self._ask)
        self.reset.clicked.connect(lambda: self.take(""))
        self.take(path)

    def take(self, path: str) -> None:
        """Show this folder as the chosen one."""
        self.path = path
        self._text.setText(path or self.tr("Videos and Pictures"))
        self.reset.setVisible(bool(path))

    def _ask(self) -> None:
        path = QFileDialog.getExistingDirectory(self, self.tr("Folder for recordings and photos"), self.path)
        if path:
            self.take(path)
