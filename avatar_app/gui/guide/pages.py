"""The first three pages of the guide."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.panels.calibration import CalibrationPanel
from avatar_app.gui.panels.camera_view import CameraView, Shown
from avatar_app.gui.panels.choosers import SourceChooser
from avatar_app.gui.panels.output_view import OutputView
from avatar_app.gui.settings import Settings
from avatar_app.gui.style.widgets import fill, label
from avatar_app.photos.library import Library
from avatar_app.session.controls import Status
from avatar_app.text import join


class Page(QWidget):
    """A title, a text, and controls."""

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self.column = fill(
            QVBoxLayout(self),
            label(title, "title", wrap=True),
            label(text, "muted", wrap=True),
            margins=0,
            spacing=10,
        )


class CameraPage(Page):
    """Choose the camera, and show its picture."""

    def __init__(self, live: Live, devices: DeviceLists) -> None:
        super().__init__(
            self.tr("Choose your camera"),
            self.tr(
                "Sit so that light falls on your face from the front. "
                "The camera's picture stays on this computer: others only ever see the avatar."
            ),
        )
        self.source = SourceChooser(live, devices)
        self.view = CameraView()
        self.view.setAccessibleName(self.tr("Your camera"))
        self.column.addWidget(self.source)
        self.column.addWidget(self.view, 1)

    def show_now(self, live: Live, settings: Settings) -> None:
        self.view.shown = Shown(box=True, mirrored=settings.mirror_preview)
        _show_camera(self.view, live, live.status())


class AvatarPage(Page):
    """Choose the photo."""

    def __init__(self, library: Library) -> None:
        super().__init__(
            self.tr("Choose an avatar"),
            self.tr(
                "Choose one, or drop a photo of a face here: from the front, mouth closed, eyes open. "
                "Only use photos of people who agree to it."
            ),
        )
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        self.gallery = Gallery(library)
        self.gallery.fit(True, False)
        self.column.addWidget(self.problem)
        self.column.addWidget(self.gallery, 1)


class CalibratePage(Page):
    """Calibrate, with the user beside the avatar, so that the result shows at once."""

    def __init__(self) -> None:
        super().__init__(
            self.tr("Look like the photo, then calibrate"),
            self.tr(
                "Hold your head, mouth and eyes like the photo, as well as you can. "
                "From then on the avatar moves as you do."
            ),
        )
        self.camera, self.output = CameraView(), OutputView()
        self.camera.setAccessibleName(self.tr("Your camera"))
        self.output.setAccessibleName(self.tr("What others see"))
        self.panel = CalibrationPanel()
        self._views = QHBoxLayout()
        self._views.setSpacing(10)
        for view in (self.camera, self.output):
            self._views.addWidget(view, 1)
        self.column.addLayout(self._views, 1)
        self.column.addWidget(self.panel)
        self.panel.countdown.changed.connect(self._count)

    def _count(self, left: int) -> None:
        self.camera.countdown = left
        self.camera.update()

    def show_now(self, live: Live, settings: Settings) -> None:
        status = live.status()
        helps = not status.calibrated or self.panel.countdown.left > 0 or live.controls.seeking
        self.camera.shown = Shown(
            box=helps,
            ghost=settings.ghost_opacity if settings.show_ghost and helps else 0.0,
            mirrored=settings.mirror_preview,
        )
        self.camera.show_portrait(live.portrait())
        _show_camera(self.camera, live, status)
        self.output.mirrored = settings.mirror_preview
        self.output.set_text(self.tr("The avatar appears here"))
        self.output.show_picture(live.shown() if status.shows != "card" else None, status.shows)
        for number, view in enumerate((self.camera, self.output)):  # so that both are of one height
            width, height = view.source_size
            self._views.setStretch(number, round(100 * width / height) if height else (133, 178)[number])
        self.panel.show_portrait(live.portrait())
        self.panel.find_best.setChecked(live.controls.seeking)
        self.panel.ghost.setChecked(settings.show_ghost)
        self.panel.show_status(status)


def _show_camera(view: CameraView, live: Live, status: Status) -> None:
    trouble = next((notice for notice in status.notices if notice.about == "camera"), None)
    view.set_text(
        in_user_language(join([trouble.message, trouble.hint]))
        if trouble
        else QCoreApplication.translate("CameraPage", "Waiting for the camera...")
    )
    view.show_seen(live.seen())
