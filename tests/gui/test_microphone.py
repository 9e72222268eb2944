"""The microphone is chosen in the window and kept, and its notices lead back to the setting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from avatar_app.errors import SoundError
from avatar_app.gui.device_lists import look
from avatar_app.gui.panels.microphone_chooser import MicrophoneChooser
from avatar_app.gui.settings import Settings, load_settings
from avatar_app.session.controls import Controls
from avatar_app.text import Text
from tests.gui.stand_in import StandIn
from tests.gui.test_controls_panel import pick
from tests.gui.windows import FOUND, Opened, open_window

TWO = replace(FOUND, microphones=("Blue Yeti", "Webcam C270"))


def chooser(opened: Opened) -> MicrophoneChooser:
    return opened.window.view.panel.microphone


def test_a_microphone_is_chosen_and_kept(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, found=TWO)
    part = chooser(opened)
    assert not part.calls.isEnabled(), "there is nothing to pass on yet"
    pick(part.choice, "Webcam C270")
    part.calls.click()
    assert (opened.live.controls.microphone, opened.live.controls.pass_sound) == ("Webcam C270", True)
    assert "Avatar Microphone" in part.note.text() and not part.note.isHidden()
    opened.window.refresh()
    opened.preferences.save()
    kept = load_settings(tmp_path / "settings.json")[0].controls
    assert (kept.microphone, kept.pass_sound) == ("Webcam C270", True)
    pick(part.choice, "")
    assert (opened.live.controls.microphone, opened.live.controls.pass_sound) == ("", False)
    assert part.note.isHidden()


def test_what_cannot_be_says_why(qtbot: QtBot, tmp_path: Path) -> None:
    found = replace(
        TWO,
        microphone_problem=Text("No sound server answers."),
        virtual_microphone_problem=Text("A virtual microphone can be made on Linux alone."),
    )
    opened = open_window(qtbot, tmp_path, live=StandIn(Controls(microphone="Unplugged")), found=found)
    part = chooser(opened)
    assert part.choice.currentData() == "Unplugged"
    assert not part.calls.isEnabled() and "Linux alone" in part.calls.toolTip()
    assert part.note.text() == "No sound server answers."


def test_what_was_switched_on_elsewhere_can_be_switched_off(qtbot: QtBot, tmp_path: Path) -> None:
    found = replace(TWO, virtual_microphone_problem=Text("PulseAudio's pacat is not installed."))
    settings = Settings(controls=Controls(microphone="Blue Yeti", pass_sound=True))
    opened = open_window(qtbot, tmp_path, settings, StandIn(settings.controls), found)
    part = chooser(opened)
    assert part.calls.isEnabled() and part.calls.isChecked()
    assert "pacat is not installed" in part.note.text()
    part.calls.click()
    assert not opened.live.controls.pass_sound and not part.calls.isEnabled()


def test_the_list_says_why_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise SoundError(Text("No sound server answers in this session."), Text("Start one."))

    monkeypatch.setattr("avatar_app.sound.opening.list_microphones", refuse)
    monkeypatch.setattr("avatar_app.sound.virtual_microphone.require_virtual_microphone", refuse)
    found = look()
    assert found.microphones == ()
    assert found.microphone_problem == found.virtual_microphone_problem
    assert str(found.microphone_problem) == "No sound server answers in this session.\nStart one."
