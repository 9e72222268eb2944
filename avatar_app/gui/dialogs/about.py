"""About the app: version, log file, licences."""

from __future__ import annotations

from importlib import metadata

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from avatar_app import __version__
from avatar_app.gui.captures import show_file
from avatar_app.gui.style.icons import app_icon
from avatar_app.gui.style.widgets import STRETCH, fill, label
from avatar_app.paths import user_log

USED = (
    *("PySide6", "numpy", "opencv-python", "onnxruntime", "torch", "av", "pillow", "scipy", "safetensors"),
    *("pyvirtualcam", "face-alignment", "platformdirs", "PyYAML", "cv2-enumerate-cameras", "python-xlib"),
    "jeepney",
)
"""Packages that the app runs with."""


class AboutDialog(QDialog):
    """Version, log file and licences of the app."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("About Avatar"))
        self.resize(560, 460)
        sign = label()
        sign.setPixmap(app_icon().pixmap(56, 56))
        texts = fill(
            QVBoxLayout(),
            label(f"Avatar {__version__}", "title"),
            label(
                self.tr(
                    "A photo, moved by your face, in any video call. Nothing leaves this computer "
                    "except the picture that you send to a call."
                ),
                "muted",
                wrap=True,
            ),
            spacing=2,
        )
        top = QHBoxLayout()
        top.setSpacing(14)
        top.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(texts, 1)
        self.licences = QPlainTextEdit(licences())
        self.licences.setReadOnly(True)
        self.licences.setAccessibleName(self.tr("Licences"))
        self.log = QPushButton(self.tr("Open the log"))
        self.log.clicked.connect(lambda: show_file(user_log()))
        close = QPushButton(self.tr("Close"))
        close.setDefault(True)
        close.clicked.connect(self.accept)
        buttons = fill(QHBoxLayout(), self.log, STRETCH, close)
        fill(
            QVBoxLayout(self),
            top,
            label(self.tr("Made with"), "heading"),
            (self.licences, 1),
            buttons,
            margins=(20, 20, 20, 16),
            spacing=12,
        )


def licences() -> str:
    """Return one line for each package: name, version, licence."""
    return "\n".join(line for name in USED if (line := _line(name)))


def _line(name: str) -> str:
    """Return a package's line; empty if it is not installed."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    known = about.json
    licence = str(known.get("license_expression") or known.get("license") or "")
    first = licence.strip().splitlines()[0] if licence.strip() else ""
    if not known.get("license_expression") and (not first or len(first) > 60):  # the whole text of a licence
        kinds = [text for text in known.get("classifier") or [] if text.startswith("License ::")]
        first = kinds[0].split(" :: ")[-1] if kinds else first[:60]
    return f"{about['Name']} {about['Version']}  –  {first or 'see the package'}"
