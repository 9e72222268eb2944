"""Which model makes the pictures, and on which processor or graphics card it runs."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import plain
from avatar_app.gui.style.widgets import Choice, label
from avatar_app.text import NOTHING


class ModelChooser(QWidget):
    """Two lists; what cannot be used here is grey, with the reason."""

    def __init__(self, live: Live, devices: DeviceLists, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live, self._devices = live, devices
        self.choice = Choice(self.tr("Model"))
        self.choice.setToolTip(self.tr("Larger models look better and need more of the computer."))
        self.device = Choice(self.tr("Run on"))
        self.device.setToolTip(self.tr("Auto takes the graphics card where there is one that can be used."))
        self.note = label("", "muted", wrap=True)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 4)
        grid.setColumnStretch(1, 6)
        for number, choice in enumerate((self.choice, self.device)):
            words = label(choice.accessibleName())
            words.setBuddy(choice)
            grid.addWidget(words, number, 0)
            grid.addWidget(choice, number, 1)
        grid.addWidget(self.note, 2, 0, 1, 2)
        self.choice.activated.connect(lambda: live.change(model=self.choice.currentData()))
        self.device.activated.connect(lambda: live.change(device=self.device.currentData()))
        devices.changed.connect(self.show_now)
        self.show_now()

    def show_now(self) -> None:
        """Fill the lists from what was found and what is chosen."""
        found, controls = self._devices.found or Found(cuda_problem=NOTHING), self._live.controls
        self.choice.clear()
        for outlet in found.models:
            self.choice.add(outlet.text, outlet.value, plain(outlet.problem))
        if self.choice.row_of(controls.model) < 0:
            self.choice.add(controls.model, controls.model)
        self.choice.show_value(controls.model)
        self.device.clear()
        problem = found.cuda_problem
        self.device.add(self.tr("Auto"), "auto")
        self.device.add(self.tr("Processor"), "cpu")
        self.device.add(self.tr("Graphics card"), "cuda", problem or "")
        if self.device.row_of(controls.device) < 0:
            self.device.add(controls.device, controls.device)
        self.device.show_value(controls.device)
        self.note.setText(self.tr("No graphics card: {0}.").format(problem) if problem else "")
        self.note.setVisible(bool(problem))
