"""A clapper before camera and microphone: sound and picture coincide in the recording and in a call."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_app.errors import SoundError
from avatar_app.media.video import read_clip
from avatar_app.session.controls import Controls
from avatar_app.session.session import Session
from avatar_app.session.sound_stage import SoundStage
from avatar_app.session.stage import Notices
from avatar_app.sound.microphone import Block, Microphone, MicrophoneInfo
from avatar_app.sound.opening import distinct, find_microphone, list_microphones, open_microphone
from avatar_app.sound.pulse import VIRTUAL, PulseMicrophone, default_source, pactl
from avatar_app.sound.timeline import RATE
from avatar_app.sound.virtual_microphone import VirtualMicrophone
from avatar_app.text import Text
from avatar_app.types import Avatar, Crop, Image, KeyPoints
from tests.session.live import Bench, FaultyEngine, KeepingSink, MarkedCamera, shows, wait_for, write_photo
from tests.session.stand_ins import DiscDetector, draw_face
from tests.support.sound_server import CLAPPER, EVERY, Clapper, heard, needs_sound, sound_server

ENGINE_SECONDS = 0.04
"""The fake engine's time: without a delay the sound would be early by more than this."""

CLOSE = 0.04
"""Tolerance in seconds between sound and picture on a busy machine, where single flashes vary by 0.025;
docs/benchmarks has the measurements, and tests of `media` hold the file itself to 2 ms."""


@pytest.fixture
def clapper(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clapper]:
    with sound_server(monkeypatch, CLAPPER) as folder:
        clapper = Clapper(folder)
        yield clapper
        clapper.close()


class ClapCamera(MarkedCamera):
    """Bright while the clapper beeps."""

    def __init__(self, bench: Bench, clapper: Clapper) -> None:
        super().__init__(bench)
        self._clapper = clapper

    def read(self) -> Image:
        super().read()
        shift = 10 * np.sin(self.arrived)  # a face that never moves would count as a photo
        light = 100 if self._clapper.beeps(self.arrived) else 0
        return np.maximum(draw_face(x=80 + shift, radius=24), np.uint8(60 + light))


class SlowEngine(FaultyEngine):
    """Its pictures are as bright as its last input."""

    light = 0

    def detect(self, crop: Crop) -> KeyPoints:
        self.light = int(crop.image[0, 0, 0])
        return super().detect(crop)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        time.sleep(ENGINE_SECONDS)
        return np.full((self.size, self.size, 3), self.light, np.uint8)


@contextmanager
def filming(clapper: Clapper, controls: Controls) -> Iterator[Session]:
    bench = Bench()
    session = Session(
        controls,
        open_source=lambda text: ClapCamera(bench, clapper),
        open_engine=lambda model, device: SlowEngine(bench),
        open_detector=DiscDetector,
        open_sink=lambda kind, device, size, fps: KeepingSink(bench),
    )
    session.start()
    try:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        yield session
    finally:
        assert not session.stop()


def wanted(folder: Path, **more: object) -> Controls:
    return Controls(
        avatar=write_photo(folder),
        size=(640, 480),
        fps=20,
        smoothing="off",
        microphone="Clapper",
        **more,  # type: ignore[arg-type]
    )


def flashes(path: Path) -> list[float]:
    """Times in seconds at which the picture becomes bright: between the last dark one and the first bright
    one.
    """
    times, light = [], []
    for image, moment in read_clip(path).timed_frames():
        times.append(float(moment))
        light.append(float(image.mean()))
    is_light = np.array(light) > (min(light) + max(light)) / 2
    begins = np.flatnonzero(is_light[1:] & ~is_light[:-1])
    return [(times[at] + times[at + 1]) / 2 for at in begins]


@needs_sound
@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_recorded_sound_is_in_time_with_the_picture(tmp_path: Path, clapper: Clapper, name: str) -> None:
    film = tmp_path / name
    with filming(clapper, wanted(tmp_path)) as session:
        session.change(recording=film)
        time.sleep(14 * EVERY)  # of material
        session.change(recording=None)
        wait_for(lambda: session.status().recording is None)
        assert not [notice for notice in session.status().notices if notice.about == "sound"]
    beeps, seen = heard(film), flashes(film)
    offsets = [min((flash - beep for flash in seen), key=abs) for beep in beeps]
    offsets = [offset for offset in offsets if abs(offset) < EVERY / 4]  # those at the ends have no partner
    assert len(offsets) >= 7
    assert abs(float(np.median(offsets))) < CLOSE, offsets


@needs_sound
def test_calls_hear_the_sound_as_late_as_the_picture(tmp_path: Path, clapper: Clapper) -> None:
    with filming(clapper, wanted(tmp_path, pass_sound=True)) as session:
        wait_for(lambda: VIRTUAL in pactl("list", "short", "sources"))
        call = PulseMicrophone(MicrophoneInfo("call", VIRTUAL))
        moments: list[float] = []
        until, offset = clapper.began, np.inf
        # A busy machine may delay a few; without the delay all of them are early.
        while abs(offset) >= CLOSE and len(moments) < 24:
            block = call.read(0.05)
            if block is not None:
                loud = np.flatnonzero(np.abs(block.samples) > 0.1)
                if len(loud) and block.at > until:
                    moments.append((block.at + loud[0] / RATE - clapper.began) % EVERY)
                    until = block.at + EVERY / 2
                    late = session.status().statistics.latency_p50 / 1000
                    offset = float(np.median(moments[-4:])) - late if len(moments) >= 6 else np.inf
        call.close()
    assert abs(offset) < CLOSE
    assert VIRTUAL not in pactl("list", "short", "sources")
    assert default_source() == "clapper"


def sources() -> set[str]:
    return {line.split("\t")[1] for line in pactl("list", "short", "sources").splitlines()}


@needs_sound
def test_what_a_killed_app_has_left_is_taken_away(clapper: Clapper, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with monkeypatch.context() as patch:
        patch.setattr("avatar_app.sound.virtual_microphone.os.getpid", lambda: ended.pid)
        left = VirtualMicrophone()
    again = VirtualMicrophone()
    assert {name for name in sources() if VIRTUAL in name} == {VIRTUAL}
    again.close()
    left.close()
    assert [each.name for each in list_microphones()] == ["Clapper"]


@needs_sound
def test_a_second_app_has_a_microphone_of_its_own(clapper: Clapper, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("avatar_app.sound.virtual_microphone.os.getpid", os.getppid)
        first = VirtualMicrophone()
    second = VirtualMicrophone()
    assert {f"{VIRTUAL}2", VIRTUAL} < sources()
    assert "Avatar Microphone 2" in pactl("list", "sources")
    assert [each.name for each in list_microphones()] == ["Clapper"]
    second.close()
    assert VIRTUAL in sources() and f"{VIRTUAL}2" not in sources()
    first.close()


class CountedMicrophone:
    """The app's own microphone, without a server."""

    opened = closed = 0

    @classmethod
    def open(cls) -> CountedMicrophone:
        cls.opened += 1
        return cls()

    def begin_again(self) -> None:
        pass

    def play(self, block: Block, delay: float) -> None:
        pass

    def pass_on(self, now: float) -> None:
        pass

    def close(self) -> None:
        type(self).closed += 1


def test_calls_keep_the_apps_microphone_while_the_real_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    def refuse(name: str) -> Microphone:
        tries.append(name)
        raise SoundError(Text("No microphone was found."))

    monkeypatch.setattr(SoundStage, "patience", 0.01)
    monkeypatch.setattr(CountedMicrophone, "opened", 0)
    monkeypatch.setattr(CountedMicrophone, "closed", 0)
    controls = [Controls(microphone="default", pass_sound=True)]
    stage = SoundStage(
        refuse,
        CountedMicrophone.open,  # type: ignore[arg-type]
        lambda: controls[0],
        lambda: 0.0,
        Notices(),
    )
    stage.start()
    try:
        wait_for(lambda: len(tries) > 3)
        assert (CountedMicrophone.opened, CountedMicrophone.closed) == (1, 0)
        controls[0] = Controls(microphone="default")
        wait_for(lambda: CountedMicrophone.closed == 1)
    finally:
        stage.stop()
        assert stage.join(2)
    assert (CountedMicrophone.opened, CountedMicrophone.closed) == (1, 1)


@needs_sound
def test_the_systems_microphone_is_never_the_apps_own(clapper: Clapper) -> None:
    virtual = VirtualMicrophone()
    pactl("set-default-source", VIRTUAL)
    microphone = open_microphone("default")
    for _ in range(100):
        block = microphone.read(1)
        if block is not None and np.abs(block.samples).max() > 0.1:
            break
    else:
        raise AssertionError("no beep is heard")
    microphone.close()
    virtual.close()


@needs_sound
def test_a_server_that_ends_is_said_and_the_recording_goes_on(
    tmp_path: Path, clapper: Clapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = tmp_path / "film.mp4"
    with filming(clapper, wanted(tmp_path, recording=film)) as session:
        wait_for(film.exists)
        monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
        session.change(microphone="other")
        wait_for(lambda: any("No sound server" in str(n.message) for n in session.status().notices))
        time.sleep(2)  # of material
    clip = read_clip(film)
    assert clip.fps > 5
    with av.open(str(film)) as container:
        assert container.streams.audio[0].duration


def test_microphones_that_are_called_alike_are_numbered() -> None:
    twins = [MicrophoneInfo("C270", "a"), MicrophoneInfo("Yeti", "b"), MicrophoneInfo("C270", "c")]
    assert [each.name for each in distinct(twins)] == ["C270", "Yeti", "C270 (2)"]
    assert find_microphone("C270 (2)", distinct(twins)).key == "c"


def test_bad_names_are_one_kind_sentence() -> None:
    some = [MicrophoneInfo("Blue Yeti", "a"), MicrophoneInfo("Blue Snowball", "b")]
    assert find_microphone("yeti", some).key == "a"
    assert find_microphone("b", some).key == "b"
    for name, said in (("Rode", "There is no microphone"), ("blue", "More than one microphone")):
        with pytest.raises(SoundError, match=f'{said}.*"{name}"') as caught:
            find_microphone(name, some)
        assert isinstance(caught.value.message, Text)
        assert "Blue Snowball" in str(caught.value.hint)
    with pytest.raises(SoundError, match="No microphone was found"):
        find_microphone("default", [])
