"""Everything that can be set, in sections. It writes ``Controls`` and shows what they are; it never waits for a device."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QScrollArea, QToolButton, QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import BackgroundChooser, OutputChooser, SourceChooser, plain
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.widgets import Choice, Section, Slider, Switch, label, row
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.session.controls import ROTATIONS, SIZES, Controls

RATES = (15, 20, 25, 30, 60)


class ControlsPanel(QScrollArea):
    """All sections under each other. ``show_controls`` brings them up to date; ``preferences`` has what concerns this screen alone."""

    def __init__(
        self, live: Live, devices: DeviceLists, preferences: Preferences, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._live, self._preferences, self._devices = live, preferences, devices
        self._shown: Controls | None = None
        self.source = SourceChooser(live, devices)
        self.output = OutputChooser(live, devices)
        self.background = BackgroundChooser(live)
        self.size_choice = self._choice(
            self.tr("Size"), "size", [(f"{width} x {height}", (width, height)) for width, height in SIZES]
        )
        turned = self.tr("{0}° clockwise")
        turns: list[tuple[str, object]] = [
            (turned.format(angle) if angle else self.tr("As it is"), angle) for angle in ROTATIONS
        ]
        self.rotation = self._choice(self.tr("Turn"), "rotation", turns)
        self.fps = self._choice(
            self.tr("Rate"), "fps", [(self.tr("{0} a second").format(rate), rate) for rate in RATES]
        )
        self.model = self._choice(self.tr("Model"), "model", [])
        self.device = self._choice(self.tr("Computed by"), "device", [])
        smoothings = {"off": self.tr("Off"), "light": self.tr("Light"), "strong": self.tr("Strong")}
        self.smoothing = self._choice(
            self.tr("Smoothing"), "smoothing", [(smoothings.get(name, name), name) for name in STRENGTHS]
        )
        self.sliders = {
            "head": Slider(self.tr("Head"), 0, 1.5, 1),
            "expression": Slider(self.tr("Expression"), 0, 1.5, 1),
            "gaze": Slider(self.tr("Gaze"), 0, 1.5, 1),
            "zoom": Slider(self.tr("Zoom"), 0.5, 2, 1),
            "pan_x": Slider(self.tr("Left and right"), -1, 1, 0, "{:+.0%}"),
            "pan_y": Slider(self.tr("Up and down"), -1, 1, 0, "{:+.0%}"),
        }
        self.sliders["gaze"].setToolTip(self.tr("At 0 % the avatar always looks where its photo looks."))
        for name, slider in self.sliders.items():
            slider.moved.connect(lambda value, name=name: live.change(**{name: value}))
        self.switches = {
            "mirror_input": self._switch("mirror_input", self.tr("Mirror the camera")),
            "mirror_output": self._switch("mirror_output", self.tr("Mirror what the call gets")),
            "label": self._switch("label", self.tr('Write "AI avatar" on the picture')),
            "follow": self._switch("follow", self.tr("Follow my face")),
            "relative": self._switch(
                "relative",
                self.tr("Relative motion"),
                self.tr("Off: the avatar takes over your pose as it is."),
            ),
            "adapt_scale": self._switch(
                "adapt_scale",
                self.tr("Adapt to the photo's size"),
                self.tr("Scales your motion to the size of the photo's face."),
            ),
        }
        self.mirror_preview = Switch(self.tr("Mirror my preview"))
        self.mirror_preview.clicked.connect(lambda on: preferences.change(mirror_preview=on))
        self.model_note = label("", "muted", wrap=True)
        self._build()
        devices.changed.connect(self._list_models)
        preferences.changed.connect(self.show_preferences)
        self._list_models()
        self.show_preferences()
        self.show_controls()

    def _build(self) -> None:
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inside = QWidget()
        inside.setProperty("role", "scrolled")
        column = QVBoxLayout(inside)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(2)
        reset = QToolButton()
        reset.setText(self.tr("Reset"))
        reset.clicked.connect(lambda: self._live.change(zoom=1.0, pan_x=0.0, pan_y=0.0))
        camera = Section(self.tr("Camera"))
        camera.add(
            self.source, self._named(self.rotation), self.switches["mirror_input"], self.mirror_preview
        )
        output = Section(self.tr("Output"))
        output.add(self.output, self._named(self.size_choice), self._named(self.fps))
        picture = Section(self.tr("Picture"))
        picture.add(
            self._named(self.background.choice, self.background),
            self.switches["mirror_output"],
            self.switches["label"],
        )
        motion = Section(self.tr("Motion"))
        motion.add(
            self.sliders["head"],
            self.sliders["expression"],
            self.sliders["gaze"],
            self._named(self.smoothing),
        )
        motion.add(self.switches["relative"], self.switches["adapt_scale"])
        view = Section(self.tr("Framing"), is_open=False)
        view.add(
            self.switches["follow"], self.sliders["zoom"], self.sliders["pan_x"], self.sliders["pan_y"], reset
        )
        model = Section(self.tr("Model"), is_open=False)
        model.add(self._named(self.model), self._named(self.device), self.model_note)
        self.sections = {
            "camera": camera,
            "output": output,
            "picture": picture,
            "motion": motion,
            "view": view,
            "model": model,
        }
        for section in self.sections.values():
            column.addWidget(section)
        column.addStretch(1)
        self.setWidget(inside)
        self.setMinimumWidth(
            inside.minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width() + 2
        )

    def reveal(self, section: str) -> None:
        """Open a section and put the focus on its first choice."""
        first = {"camera": self.source.choice, "output": self.output.choice, "model": self.model}
        self.sections[section].heading.setChecked(True)
        self.ensureWidgetVisible(self.sections[section])
        first.get(section, self.sections[section].heading).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_controls(self) -> None:
        """Show the controls as they are: keys and other programs change them too."""
        controls = self._live.controls
        if controls == self._shown:
            return
        before, self._shown = self._shown, controls
        for name, switch in self.switches.items():
            switch.setChecked(getattr(controls, name))
        for name, slider in self.sliders.items():
            slider.show_value(getattr(controls, name))
        for name, choice in (
            ("size", self.size_choice),
            ("fps", self.fps),
            ("rotation", self.rotation),
            ("smoothing", self.smoothing),
        ):
            value = getattr(controls, name)
            if choice.row_of(value) < 0:
                choice.add(str(value), value)
            choice.show_value(value)
        if before is None or controls.source != before.source:
            self.source.show_now()
        if before is None or (controls.output, controls.output_device) != (
            before.output,
            before.output_device,
        ):
            self.output.show_now()
        if before is None or controls.background != before.background:
            self.background.show_now()
        if before is None or (controls.model, controls.device) != (before.model, before.device):
            self._list_models()

    def draw_icons(self) -> None:
        """Draw them in the colours of the theme."""
        for section in self.sections.values():
            section.draw_icons()
        for button in (self.source.refresh, self.output.refresh):
            button.setIcon(icon("refresh"))

    def show_preferences(self) -> None:
        self.mirror_preview.setChecked(self._preferences.now.mirror_preview)

    def _list_models(self) -> None:
        found, controls = self._devices.found or Found(cuda_problem=""), self._live.controls
        self.model.clear()
        for outlet in found.models:
            self.model.add(outlet.text, outlet.value, plain(outlet.problem))
        if self.model.row_of(controls.model) < 0:
            self.model.add(controls.model, controls.model)
        self.model.show_value(controls.model)
        self.device.clear()
        problem = found.cuda_problem
        self.device.add(self.tr("Best available"), "auto")
        self.device.add(self.tr("Processor"), "cpu")
        self.device.add(self.tr("Graphics card (CUDA)"), "cuda", problem or "")
        if self.device.row_of(controls.device) < 0:
            self.device.add(controls.device, controls.device)
        self.device.show_value(controls.device)
        self.model_note.setText(self.tr("No graphics card: {0}.").format(problem) if problem else "")
        self.model_note.setVisible(bool(problem))

    def _choice(self, name: str, control: str, entries: list[tuple[str, object]]) -> Choice:
        made = Choice(name)
        for text, value in entries:
            made.add(text, value)
        made.activated.connect(lambda: self._live.change(**{control: made.currentData()}))
        return made

    def _switch(self, control: str, text: str, tip: str = "") -> Switch:
        made = Switch(text)
        made.setToolTip(tip)
        made.clicked.connect(lambda on: self._live.change(**{control: on}))
        return made

    def _named(self, choice: Choice, whole: QWidget | None = None) -> QWidget:
        """A choice with its name before it."""
        made = QWidget()
        line = row(label(choice.accessibleName(), wrap=True), whole or choice)
        line.setContentsMargins(0, 0, 0, 0)
        line.setStretch(0, 4)
        line.setStretch(1, 6)
        made.setLayout(line)
        return made
