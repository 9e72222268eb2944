"""The dialogs of the window; each is imported when first needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.live import Live
from avatar_app.gui.preferences import Preferences
from avatar_app.photos.library import Library


class WindowDialogs(QObject):
    """Opens dialogs over its window; none of them blocks.

    Args:
        select: uses the photo with this path as the avatar.
    """

    def __init__(
        self,
        window: QWidget,
        live: Live,
        library: Library,
        preferences: Preferences,
        devices: DeviceLists,
        select: Callable[[Path], object],
    ) -> None:
        super().__init__(window)
        self._window, self._live, self._library = window, live, library
        self._preferences, self._devices, self._select = preferences, devices, select

    def open_guide(self, last: bool = False) -> None:
        """Open the guide, or only its last step: joining a call."""
        from avatar_app.gui.guide.guide import Guide

        guide = Guide(self._live, self._library, self._preferences, self._devices, self._window)
        guide.chosen.connect(self._select)
        if last:
            guide.show_step(guide.LAST)
        guide.open()

    def open_join(self) -> None:
        self.open_guide(last=True)

    def open_keys(self) -> None:
        from avatar_app.gui.dialogs.keys import KeysDialog

        now = self._preferences.now
        KeysDialog(now.keys, now.hotkeys, self._window).open()

    def open_doctor(self) -> None:
        from avatar_app.gui.dialogs.doctor import DoctorDialog

        controls = self._live.controls
        DoctorDialog(self._window, model=controls.model, device=controls.device).open()

    def open_cuda(self) -> None:
        from avatar_app.gui.dialogs.cuda import CudaDialog

        dialog = CudaDialog(self._window, self._live.controls.device)
        dialog.chosen.connect(lambda: self._live.change(device="auto"))
        dialog.chosen.connect(self._devices.refresh)
        dialog.changed.connect(self._devices.refresh)
        dialog.changed.connect(lambda: self._live.retry("engine"))
        dialog.open()

    def open_about(self) -> None:
        from avatar_app.gui.dialogs.about import AboutDialog

        AboutDialog(self._window).open()
