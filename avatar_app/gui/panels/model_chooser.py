"""Choose the model, and the device or other computer that it runs on."""

from __future__ import annotations

from PySide6.QtWidgets import QGridLayout, QInputDialog, QPushButton, QWidget

from avatar_app.errors import ConfigError
from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import ELSEWHERE, plain
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import ChoiceBox, label
from avatar_app.remote.pairing import address_of, is_remote, parse_pairing
from avatar_app.remote.traffic import Traffic
from avatar_app.text import NOTHING


class ModelChooser(QWidget):
    """Two lists; unusable entries are grey, with the reason."""

    def __init__(self, live: Live, devices: DeviceLists, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live, self._devices = live, devices
        self.choice = ChoiceBox(self.tr("Model"))
        self.choice.setToolTip(self.tr("Larger models look better and need more of the computer."))
        self.device = ChoiceBox(self.tr("Run on"))
        self.device.setToolTip(self.tr("Auto takes the graphics card where there is one that can be used."))
        self.note = label("", "muted", wrap=True)
        self.other = label("", "muted", wrap=True)
        self.other.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(0, 4)
        grid.setColumnStretch(1, 6)
        for number, choice in enumerate((self.choice, self.device)):
            words = label(choice.accessibleName())
            words.setBuddy(choice)
            grid.addWidget(words, number, 0)
            grid.addWidget(choice, number, 1)
        grid.addWidget(self.other, 2, 0, 1, 2)
        self.cuda = QPushButton(self.tr("Use my NVIDIA card..."))
        self.cuda.setToolTip(self.tr("Downloads what your card needs, or removes it again."))
        grid.addWidget(self.note, 3, 0, 1, 2)
        grid.addWidget(self.cuda, 4, 0, 1, 2)
        self.choice.activated.connect(lambda: live.change(model=self.choice.currentData()))
        self.device.activated.connect(self._device_chosen)
        devices.changed.connect(self.show_now)
        self.show_now()

    def show_now(self) -> None:
        """Fill the lists with the available and the chosen entries."""
        found, controls = self._devices.found or Found(card_problem=NOTHING), self._live.controls
        self.choice.clear()
        for outlet in found.models:
            self.choice.add(outlet.text, outlet.value, plain(outlet.problem))
        if self.choice.row_of(controls.model) < 0:
            self.choice.add(controls.model, controls.model)
        self.choice.show_value(controls.model)
        self.device.clear()
        problem = found.card_problem
        self.device.add(self.tr("Auto"), "auto")
        self.device.add(self.tr("Processor"), "cpu")
        self.device.add(self.tr("Graphics card"), found.card, plain(problem or NOTHING))
        if is_remote(controls.device):
            words = self.tr("Other computer ({0})").format(address_of(controls.device))
            self.device.add(words, controls.device)
        elif self.device.row_of(controls.device) < 0:
            self.device.add(controls.device, controls.device)
        self.device.insertSeparator(self.device.count())
        self.device.add(self.tr("Another computer..."), ELSEWHERE)
        self.device.show_value(controls.device)
        self.note.setText(self.tr("No graphics card: {0}.").format(plain(problem)) if problem else "")
        self.note.setVisible(bool(problem))
        self.cuda.setVisible(found.fetchable)

    def show_other(self, traffic: Traffic | None) -> None:
        """Show the connection to the other computer; nothing for local rendering."""
        self.other.setVisible(traffic is not None)
        if traffic is None:
            return
        if not traffic.connected:
            text = self.tr("{0} is not connected. Until it is, this computer makes the pictures.")
            text = text.format(traffic.address)
        elif not traffic.fps:
            text = self.tr("{0} is connected.").format(traffic.address)
        else:
            text = self.tr("{0} is connected: {1} ms there and back, {2} Mbit/s.").format(
                traffic.address, f"{traffic.round_trip:.0f}", f"{traffic.bits / 1e6:.1f}"
            )
        self.other.setText(text)
        restyle(self.other, role="muted" if traffic.connected else "problem")

    def _device_chosen(self) -> None:
        value = self.device.currentData()
        if value == ELSEWHERE:
            value = self._ask_line()
        if value:
            self._live.change(device=value)
        self.show_now()

    def _ask_line(self) -> str:
        """Ask the user for a pairing line; empty if cancelled."""
        title, line = self.tr("Another computer"), ""
        how = self.tr(
            "Start `avatar-app serve --listen 0.0.0.0` on the other computer, "
            "and paste the line that it prints:"
        )
        problem = ""
        while True:
            line, done = QInputDialog.getText(self, title, f"{problem}{how}", text=line)
            if not done:
                return ""
            try:
                return parse_pairing(line).line
            except ConfigError as error:
                said = f"{in_user_language(error.message)} {in_user_language(error.hint)}"
                problem = f"{said}\n\n"
