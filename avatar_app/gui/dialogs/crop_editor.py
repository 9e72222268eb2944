"""The dialog in which a user chooses the square of a photo."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPainterPath, QPixmap
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from avatar_app.errors import AvatarError
from avatar_app.faces.crop import crop_picture, photo_box
from avatar_app.gui.background import Background
from avatar_app.gui.dialogs.crop_check import crop_warning, nearest
from avatar_app.gui.dialogs.crop_view import CropView
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.pictures import to_qimage
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import STRETCH, fill, label
from avatar_app.media.photo import turned
from avatar_app.photos.library import middle_box
from avatar_app.text import join
from avatar_app.types import Box, Face, Image

PREVIEW = 208


class FindsFaces(Protocol):
    """The part of the face networks that the dialog needs."""

    def faces(self, image: Image) -> list[Face]:
        """Return all faces, largest first. Raises AvatarError."""


class CropEditor(QDialog):
    """Lets the user choose the square; it starts at the face or the previous choice.

    ``box()`` and ``turn`` are the result once accepted.

    Args:
        image: the photo, turned by ``turn`` quarters clockwise.
        box: the square chosen before, in its pixels; None: fit it.
        faces: finds the faces, in the background.
    """

    def __init__(
        self, image: Image, box: Box | None, faces: FindsFaces, parent: QWidget | None = None, turn: int = 0
    ) -> None:
        super().__init__(parent)
        self._image = image
        self.turn = turn
        self._finder = faces
        self._faces: list[Face] | None = None
        self._fit_at_first = box is None
        self._view = CropView(image, box or middle_box(image), self)
        self._preview = label()
        self._preview.setFixedSize(PREVIEW, PREVIEW)
        self._about = label()
        self._about.setWordWrap(True)
        self._about.setMinimumHeight(4 * self.fontMetrics().lineSpacing())
        self._about.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._help = label()
        self._help.setWordWrap(True)
        self._help.setProperty("role", "muted")
        self._fit = QPushButton(self)
        self._fit.setEnabled(False)
        self._turn = QPushButton(self)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel, self)
        self._ok = self._buttons.addButton("", QDialogButtonBox.ButtonRole.AcceptRole)
        restyle(self._ok, role="primary")
        self._ok.setDefault(True)
        self._arrange()
        self._retranslate()
        self._fit.clicked.connect(self.fit)
        self._turn.clicked.connect(self.turn_right)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._view.moved.connect(self._show)
        self._view.setFocus()
        self._show()
        self._background = Background(self)
        self._look()

    def box(self) -> Box:
        """Return the square in pixels of the photo; it may extend slightly beyond it."""
        return self._view.box

    def fit(self) -> None:
        """Put the square around the face nearest to it.

        If it is there already, around the next one.
        """
        if not self._faces:
            return
        face = nearest(self._faces, self.box())
        assert face is not None
        place = next(number for number, other in enumerate(self._faces) if other is face)
        if photo_box(face, self._image) == self.box():
            face = self._faces[(place + 1) % len(self._faces)]
        self._view.set_box(photo_box(face, self._image))

    def turn_right(self) -> None:
        """Turn the photo clockwise by a quarter and fit the square to the upright face."""
        self.turn = (self.turn + 1) % 4
        self._image = turned(self._image, 1)
        self._faces, self._fit_at_first = None, True
        self._fit.setEnabled(False)
        self._view.set_image(self._image, middle_box(self._image))
        self._look()

    def _look(self) -> None:
        """Find the faces in the background.

        The result is dropped if the photo was turned meanwhile.
        """
        turn = self.turn

        def found(faces: list[Face]) -> None:
            if turn == self.turn:
                self._found(faces)

        self._background.run(partial(self._finder.faces, self._image), found, self._failed)

    def _arrange(self) -> None:
        column = QWidget(self)
        column.setFixedWidth(PREVIEW)
        fill(
            QVBoxLayout(column),
            self._preview,
            self._fit,
            self._turn,
            self._about,
            STRETCH,
            self._help,
            margins=0,
            spacing=12,
        )
        both = fill(QHBoxLayout(), (self._view, 1), column, spacing=16)
        fill(QVBoxLayout(self), (both, 1), self._buttons, margins=16, spacing=14)
        self.setSizeGripEnabled(True)

    def _found(self, faces: list[Face]) -> None:
        self._faces = faces
        self._view.set_faces(faces)
        self._fit.setEnabled(bool(faces))
        if faces and self._fit_at_first:
            self._view.set_box(photo_box(faces[0], self._image))
        self._fit_at_first = False
        self._show()

    def _failed(self, error: AvatarError) -> None:
        self._about.setText(f"⚠ {in_user_language(join([error.message, error.hint]))}")
        restyle(self._about, role="problem")

    def _show(self) -> None:
        """Show the preview and the square's faults."""
        ratio = self.devicePixelRatioF()
        picture = QPixmap.fromImage(to_qimage(crop_picture(self._image, self.box(), round(PREVIEW * ratio))))
        self._preview.setPixmap(_rounded(picture, PREVIEW, ratio))
        if self._faces is None:
            self._about.setText(self.tr("Looking for the face..."))
            return
        warning = crop_warning(self._faces, self.box(), self._image)
        several = self.tr(
            "%n faces were found. Click another one, or press the button again.", "", len(self._faces)
        )
        good = several if len(self._faces) > 1 else self.tr("The face fits well.")
        self._about.setText(f"⚠ {warning}" if warning else f"✓ {good}")
        restyle(self._about, role="problem" if warning else "")

    def _retranslate(self) -> None:
        self._ok.setText(self.tr("Use this crop"))
        self.setWindowTitle(self.windowTitle() or self.tr("Crop photo"))
        self._fit.setText(self.tr("&Fit to face"))
        self._turn.setText(self.tr("&Turn right"))
        self._turn.setToolTip(self.tr("Turn the photo by a quarter"))
        self._preview.setAccessibleName(self.tr("Preview of the crop"))
        self._view.setAccessibleName(self.tr("Photo with the square"))
        self._help.setText(
            self.tr(
                "Drag the square or its corners. Arrow keys move it, + and - resize it, with Shift finely."
            )
        )

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
            self._show()
        super().changeEvent(event)

    def sizeHint(self) -> QSize:
        return QSize(760, 560)


def _rounded(picture: QPixmap, side: int, ratio: float) -> QPixmap:
    """Return a square picture with round corners, for screens of any density."""
    out = QPixmap(picture.size())
    out.setDevicePixelRatio(ratio)
    out.fill(Qt.GlobalColor.transparent)
    painter = QPainter(out)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    path = QPainterPath()
    path.addRoundedRect(QRectF(0, 0, side, side), 16, 16)
    painter.setClipPath(path)
    painter.drawPixmap(QRectF(0, 0, side, side), picture, QRectF(picture.rect()))
    painter.end()
    return out
