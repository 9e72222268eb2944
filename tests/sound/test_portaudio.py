"""Microphones by PortAudio, with a fake sounddevice: it lists devices only when it starts."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from avatar_app.errors import SoundError
from avatar_app.sound.portaudio import PortAudioMicrophone, list_inputs


class PortAudioError(Exception):
    pass


class Library(ModuleType):
    """The part of sounddevice that the app uses.

    Attributes:
        plugged: the connected devices.
    """

    PortAudioError = PortAudioError
    default = SimpleNamespace(hostapi=0)

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.plugged = ["Webcam", "Loudspeaker"]
        self.streams: list[Stream] = []
        self.refuses = False
        self._initialize()

    def _initialize(self) -> None:
        self.seen = list(self.plugged)

    def _terminate(self) -> None:
        for stream in self.streams:
            stream.active = False

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"devices": list(range(len(self.seen)))}]

    def query_devices(self, number: int) -> dict[str, Any]:
        name = self.seen[number]
        return {"name": name, "max_input_channels": int(name != "Loudspeaker")}

    def InputStream(self, **options: Any) -> Stream:
        return Stream(self)


class Stream:
    active = False

    def __init__(self, library: Library) -> None:
        self.library = library

    def start(self) -> None:
        if self.library.refuses:
            raise PortAudioError("Device unavailable.")
        self.active = True
        self.library.streams.append(self)

    def close(self) -> None:
        self.active = False
        if self in self.library.streams:
            self.library.streams.remove(self)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setitem(sys.modules, "sounddevice", made)
    return made


def names() -> list[str]:
    return [each.name for each in list_inputs()]


def test_a_microphone_that_is_plugged_in_later_is_found(library: Library) -> None:
    assert names() == ["Webcam"]
    library.plugged.append("Blue Yeti")
    assert names() == ["Webcam", "Blue Yeti"]


def test_looking_for_others_never_ends_the_one_that_is_heard(library: Library) -> None:
    microphone = PortAudioMicrophone(list_inputs()[0])
    library.plugged.append("Blue Yeti")
    assert names() == ["Webcam"]
    assert library.streams[0].active
    microphone.close()
    microphone.close()
    assert names() == ["Webcam", "Blue Yeti"]


def test_one_that_is_unplugged_stops_and_comes_back(library: Library) -> None:
    microphone = PortAudioMicrophone(list_inputs()[0])
    library.streams[0].active = False
    with pytest.raises(SoundError, match="has stopped"):
        microphone.read(0.001)
    microphone.close()
    library.plugged.remove("Webcam")
    assert names() == []
    library.plugged.insert(0, "Webcam")
    PortAudioMicrophone(list_inputs()[0]).close()


def test_one_that_is_refused_leaves_nothing_open(library: Library) -> None:
    library.refuses = True
    with pytest.raises(SoundError, match="cannot be opened: Device unavailable"):
        PortAudioMicrophone(list_inputs()[0])
    library.plugged.append("Blue Yeti")
    assert names() == ["Webcam", "Blue Yeti"]
