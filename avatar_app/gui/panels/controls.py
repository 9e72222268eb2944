"""The settings of the call, in three tabs.

The panel changes ``Controls`` and shows them; it never waits for a device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import BackgroundChooser, OutputChooser, SourceChooser
from avatar_app.gui.panels.microphone_chooser import MicrophoneChooser
from avatar_app.gui.panels.model_chooser import ModelChooser
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.widgets import ChoiceBox, Section, Slider, Switch, fill, label, row, tip
from avatar_app.motion.smoothing import STRENGTHS
from avatar_app.session.controls import CENTRED, ROTATIONS, SIZES, Controls

RATES = (15, 20, 25, 30, 60)


class ControlsPanel(QTabWidget):
    """The panel; ``show_controls`` updates it.

    ``preferences`` are the settings of this screen alone.
    """

    def __init__(
        self, live: Live, devices: DeviceLists, preferences: Preferences, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._live, self._preferences = live, preferences
        self._shown: Controls | None = None
        self.source = SourceChooser(live, devices)
        self.output = OutputChooser(live, devices)
        self.microphone = MicrophoneChooser(live, devices)
        self.background = BackgroundChooser(live)
        self.model = ModelChooser(live, devices)
        self.choices = self._choices()
        self.sliders = self._sliders()
        self.switches = self._switches()
        self.mirror_preview = Switch(self.tr("Mirror my previews"))
        self.mirror_preview.setToolTip(
            self.tr(
                "You see yourself and the avatar as in a mirror. Others always see it the right way round."
            )
        )
        self.mirror_preview.clicked.connect(lambda on: preferences.change(mirror_preview=on))
        self.sections: dict[str, Section] = {}
        self._build()
        preferences.changed.connect(self.show_preferences)
        self.show_preferences()
        self.show_controls()

    def _choices(self) -> dict[str, ChoiceBox]:
        smoothings = {"off": self.tr("Off"), "light": self.tr("Light"), "strong": self.tr("Strong")}
        sizes = [(f"{width} × {height}", (width, height)) for width, height in SIZES]
        rates = [(self.tr("{0} fps").format(rate), rate) for rate in RATES]
        clockwise = self.tr("{0}° clockwise")
        turns = [(clockwise.format(angle) if angle else self.tr("None"), angle) for angle in ROTATIONS]
        return {
            "rotation": self._choice(
                self.tr("Rotation"), "rotation", turns, self.tr("For a camera that stands on its side.")
            ),
            "size": self._choice(
                self.tr("Size"), "size", sizes, self.tr("Size of the picture that others get.")
            ),
            "fps": self._choice(
                self.tr("Frame rate"), "fps", rates, self.tr("Frames per second that others get.")
            ),
            "smoothing": self._choice(
                self.tr("Smoothing"),
                "smoothing",
                [(smoothings.get(name, name), name) for name in STRENGTHS],
                self.tr("Takes the tremble out of your motion; strong smoothing lags a little."),
            ),
        }

    def _sliders(self) -> dict[str, Slider]:
        how_strongly = self.tr("How strongly your motion moves the avatar.")
        tips = {
            "head": how_strongly,
            "expression": how_strongly,
            "gaze": self.tr("At 0 % the avatar always looks where its photo looks."),
        }
        sliders = {
            "head": Slider(self.tr("Head"), 0, 1.5, 1),
            "expression": Slider(self.tr("Expression"), 0, 1.5, 1),
            "gaze": Slider(self.tr("Gaze"), 0, 1.5, 1),
            "zoom": Slider(self.tr("Zoom"), 0.5, 2, 1),
            "pan_x": Slider(self.tr("Left and right"), -1, 1, 0, "{:+.0%}"),
            "pan_y": Slider(self.tr("Up and down"), -1, 1, 0, "{:+.0%}"),
        }
        for name, slider in sliders.items():
            slider.setToolTip(
                tips.get(name, self.tr("You can also drag the picture and turn the wheel on it."))
            )
            slider.moved.connect(lambda value, name=name: self._live.change(**{name: value}))
        return sliders

    def _switches(self) -> dict[str, Switch]:
        texts = {
            "mirror_input": (
                self.tr("Mirror the camera"),
                self.tr("For cameras that deliver a mirrored picture."),
            ),
            "mirror_output": (self.tr("Mirror what others see"), self.tr("Left and right change places.")),
            "label": (
                self.tr("Show “AI avatar”"),
                self.tr("Writes it into the picture, so that everybody knows."),
            ),
            "follow": (self.tr("Follow my face"), self.tr("Off: sit where you calibrated.")),
            "relative": (
                self.tr("Relative motion"),
                self.tr("Off: the avatar takes over your pose as it is."),
            ),
            "adapt_scale": (
                self.tr("Adapt to the photo's size"),
                self.tr("Scales your motion to the size of the photo's face."),
            ),
        }
        return {name: self._switch(name, *words) for name, words in texts.items()}

    def _build(self) -> None:
        self.setDocumentMode(True)
        self.setProperty("role", "drawer")
        reset = QPushButton(self.tr("Reset"))
        reset.setToolTip(self.tr("Puts the avatar back into the middle."))
        reset.clicked.connect(lambda: self._live.change(**CENTRED))
        pages: dict[str, dict[str, tuple[str, Sequence[QWidget]]]] = {
            self.tr("Basics"): {
                "camera": (
                    self.tr("Camera"),
                    [self.source, self._named(self.choices["rotation"]), self.mirror_preview],
                ),
                "output": (self.tr("Send to"), [self.output]),
                "microphone": (self.tr("Microphone"), [self.microphone]),
                "picture": (self.tr("Background"), [self.background]),
                "view": (
                    self.tr("Framing"),
                    [self.sliders["zoom"], self.sliders["pan_x"], self.sliders["pan_y"], reset],
                ),
            },
            self.tr("Motion"): {
                "motion": (
                    self.tr("Strength"),
                    [self.sliders["head"], self.sliders["expression"], self.sliders["gaze"]],
                ),
                "way": (
                    self.tr("Transfer"),
                    [self._named(self.choices["smoothing"])]
                    + [self.switches[name] for name in ("follow", "relative", "adapt_scale")],
                ),
            },
            self.tr("Advanced"): {
                "quality": (
                    self.tr("Picture"),
                    [self._named(self.choices["size"]), self._named(self.choices["fps"])]
                    + [self.switches[name] for name in ("mirror_input", "mirror_output", "label")],
                ),
                "model": (self.tr("Model"), [self.model]),
            },
        }
        for title, sections in pages.items():
            self.addTab(self._page(sections), title)
        self.tabBar().setAccessibleName(self.tr("Kinds of settings"))
        self.tabBar().setExpanding(True)
        self.tabBar().setDrawBase(False)

    def _page(self, sections: Mapping[str, tuple[str, Sequence[QWidget]]]) -> QScrollArea:
        inside = QWidget()
        inside.setProperty("role", "scrolled")
        column = fill(QVBoxLayout(inside), margins=(10, 6, 10, 10), spacing=4)
        for name, (title, pieces) in sections.items():
            section = Section(title)
            section.add(*pieces)
            column.addWidget(section)
            self.sections[name] = section
        column.addStretch(1)
        page = QScrollArea()
        page.setWidgetResizable(True)
        page.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        page.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page.setWidget(inside)
        return page

    def reveal(self, name: str) -> None:
        """Show a section and focus its first choice."""
        section = self.sections[name]
        for number in range(self.count()):
            page = self.widget(number)
            if isinstance(page, QScrollArea) and page.isAncestorOf(section):
                self.setCurrentIndex(number)
                page.ensureWidgetVisible(section)
        first = {
            "camera": self.source.choice,
            "output": self.output.choice,
            "microphone": self.microphone.choice,
            "model": self.model.choice,
        }
        first.get(name, self.tabBar()).setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_controls(self) -> None:
        """Show the current controls: keys and other programs change them too."""
        controls, before = self._live.controls, self._shown
        if controls == before:
            return
        self._shown = controls
        for name, switch in self.switches.items():
            switch.setChecked(getattr(controls, name))
        for name, slider in self.sliders.items():
            slider.show_value(getattr(controls, name))
        for name, choice in self.choices.items():
            value = getattr(controls, name)
            if choice.row_of(value) < 0:
                choice.add(str(value), value)
            choice.show_value(value)
        for piece, names in (
            (self.source, ("source",)),
            (self.output, ("output", "output_device")),
            (self.microphone, ("microphone", "pass_sound")),
            (self.background, ("background",)),
            (self.model, ("model", "device")),
        ):
            if before is None or any(getattr(controls, name) != getattr(before, name) for name in names):
                piece.show_now()

    def draw_icons(self) -> None:
        """Draw the icons in the theme's colours."""
        for button in (self.source.refresh, self.output.refresh, self.microphone.refresh):
            button.setIcon(icon("refresh"))

    def show_preferences(self) -> None:
        self.mirror_preview.setChecked(self._preferences.now.mirror_preview)

    def _choice(
        self, name: str, control: str, entries: Sequence[tuple[str, object]], about: str
    ) -> ChoiceBox:
        made = ChoiceBox(name)
        made.setToolTip(tip(about))
        for text, value in entries:
            made.add(text, value)
        made.activated.connect(lambda: self._live.change(**{control: made.currentData()}))
        return made

    def _switch(self, control: str, text: str, about: str) -> Switch:
        made = Switch(text)
        made.setToolTip(tip(about))
        made.clicked.connect(lambda on: self._live.change(**{control: on}))
        return made

    def _named(self, choice: ChoiceBox) -> QWidget:
        """Return a row with a name and a choice."""
        made, words = QWidget(), label(choice.accessibleName(), wrap=True)
        words.setBuddy(choice)
        line = row(words, choice)
        line.setContentsMargins(0, 0, 0, 0)
        line.setStretch(0, 4)
        line.setStretch(1, 6)
        made.setLayout(line)
        return made
