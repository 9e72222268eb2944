"""The fault matrix of docs/reliability.md for the session.

Something is absent, slow, fails, is corrupt or full. Each test checks what the user is told, that the call
continues or recovers, and that no frame of the camera is ever sent.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from avatar_app.cameras.opening import open_source
from avatar_app.engines import Engine
from avatar_app.errors import BundleError, DeviceError, OutputError
from avatar_app.media.photo import read_portrait
from avatar_app.motion.calibration import FRAMES, NeutralStore
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.recorder import Recorder
from avatar_app.session import active_avatar as cast
from avatar_app.session import output_stage, sink_keeper, slot
from avatar_app.session.animate_stage import AnimateStage
from avatar_app.session.camera_stage import reduced
from avatar_app.session.controls import Controls, Notice
from avatar_app.session.output_stage import OutputStage
from avatar_app.session.recorder_stage import RecorderStage
from avatar_app.session.session import Session, open_model
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices
from avatar_app.session.statistics import Meter
from avatar_app.text import Text
from avatar_app.types import Avatar, Crop, Frame, Image, KeyPoints, Picture
from tests.media.test_video import disk_with
from tests.outputs.test_recorder import playable_pictures
from tests.session.live import (
    PATTERN,
    Bench,
    FaultyEngine,
    KeepingSink,
    MarkedCamera,
    shows,
    wait_for,
    write_photo,
)
from tests.session.stand_ins import DiscDetector, DrawingEngine, draw_face
from tests.support.mjpeg import HEADER, MjpegCamera, Server, encode, part


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    assert bench.leaks == 0, "a frame of the camera was sent"
    assert (bench.sinks, bench.engines) == (0, 0), "something stayed open"


@pytest.fixture
def controls(tmp_path: Path) -> Controls:
    return Controls(
        avatar=write_photo(tmp_path), output="virtual-camera", fps=60, size=(640, 480), model="drawing"
    )


@contextmanager
def running(
    bench: Bench, controls: Controls, neutrals: NeutralStore | None = None, **parts: Any
) -> Iterator[Session]:
    """A session of the bench's parts, some of them replaced."""
    usual: dict[str, Any] = {
        "open_source": lambda text: MarkedCamera(bench),
        "open_engine": bench.open_engine,
        "open_detector": DiscDetector,
        "open_sink": lambda kind, device, size, fps: KeepingSink(bench),
    }
    session = Session(controls, neutrals, **usual | parts)
    session.start()
    try:
        yield session
    finally:
        stuck = session.stop()
    assert not stuck, f"stuck: {stuck}"


def calibrated(session: Session) -> None:
    """Start a session and wait until the call sees the avatar."""
    wait_for(shows(session, "card", "uncalibrated"))
    wait_for(lambda: session.status().face)
    session.recalibrate()
    wait_for(shows(session, "avatar"))


def notice(session: Session, about: str) -> Notice | None:
    return next((found for found in session.status().notices if found.about == about), None)


def notice_shown(session: Session, about: str, words: str) -> Notice:
    """Wait for a notice with these words; it must also say what to do."""
    wait_for(
        lambda: (found := notice(session, about)) is not None and words in found.message, f"{about}: {words}"
    )
    found = notice(session, about)
    assert found is not None and found.hint
    return found


def notice_cleared(session: Session, about: str) -> None:
    wait_for(lambda: notice(session, about) is None, f"no notice about {about}")


def goes_on(bench: Bench, count: int = 10) -> None:
    """The call still receives pictures."""
    sent = bench.sent
    wait_for(lambda: bench.sent > sent + count, "pictures for the call")


def has_sent(bench: Bench, count: int) -> bool:
    return bench.sent > count


def shown_until(session: Session, end: Callable[[], bool]) -> set[str]:
    """All pictures that the call received meanwhile."""
    seen: set[str] = set()

    def look() -> bool:
        seen.add(session.status().shows)
        return end()

    wait_for(look)
    return seen


# The camera.


def test_camera_absent_at_the_start(bench: Bench, controls: Controls) -> None:
    bench.plugged = False
    with running(bench, controls) as session:
        wait_for(shows(session, "card", "no-camera"))
        assert notice_shown(session, "camera", "not there").actions == ("retry", "choose-camera")
        goes_on(bench)
        bench.plugged = True  # found without user action
        calibrated(session)
        notice_cleared(session, "camera")


def moving_face(number: int) -> Image:
    image = draw_face(x=80 + number % 9, radius=24)
    image[:20, :40] = image[-20:, -40:] = PATTERN
    return image


def test_camera_of_five_frames_a_second(bench: Bench, controls: Controls) -> None:
    with MjpegCamera(moving_face, fps=5) as camera:
        with running(
            bench, Controls(**as_fields(controls) | {"source": camera.url}), open_source=open_source
        ) as session:
            calibrated(session)
            sent = camera.sent
            assert shown_until(session, lambda: camera.sent > sent + 8) == {"avatar"}, (
                "the card and the avatar must not take turns"
            )
            assert not session.status().notices


def as_fields(controls: Controls) -> dict[str, Any]:
    return {name: getattr(controls, name) for name in Controls.__slots__}


def test_camera_that_sends_damaged_pictures(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatar_app.cameras.live.SILENCE", 0.3)
    whole = threading.Event()
    whole.set()

    def send(connection: Any) -> None:
        connection.sendall(HEADER)
        number = 0
        while not server.stopped.wait(0.03):
            number += 1
            picture = encode(moving_face(number))
            connection.sendall(part(picture if whole.is_set() else picture[:20] + b"\0" * 200 + b"\xff\xd9"))

    with Server(send) as server:
        with running(
            bench, Controls(**as_fields(controls) | {"source": server.url}), open_source=open_source
        ) as session:
            calibrated(session)
            whole.clear()
            wait_for(shows(session, "card", "no-camera"))
            assert notice(session, "camera") is not None
            whole.set()
            session.retry("camera")
            wait_for(shows(session, "avatar"))
            notice_cleared(session, "camera")


def test_camera_that_is_stuck_on_one_picture(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatar_app.session.camera_stage.FROZEN", 0.2)
    stuck = threading.Event()

    class Stuck(MarkedCamera):
        def read(self) -> Image:
            image = super().read()
            return np.full_like(image, 9) if stuck.is_set() else image

    with running(bench, controls, open_source=lambda text: Stuck(bench)) as session:
        calibrated(session)
        stuck.set()
        notice_shown(session, "camera", "one and the same picture")
        wait_for(shows(session, "card", "no-camera"))
        stuck.clear()
        session.retry("camera")
        wait_for(shows(session, "avatar"))


def sees_face(session: Session, shape: tuple[int, ...]) -> bool:
    seen = session.seen()
    return seen is not None and seen.frame.image.shape == shape and seen.points is not None


def test_other_sizes_of_frame_while_running(bench: Bench, controls: Controls) -> None:
    scale = 1

    class Resizing(MarkedCamera):
        def read(self) -> Image:
            image = super().read()
            return np.asarray(
                cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8
            )

    with running(bench, controls, open_source=lambda text: Resizing(bench)) as session:
        calibrated(session)
        for scale in (4, 1, 24, 2):
            size = (
                (120 * scale, 160 * scale, 3) if scale < 24 else (1440, 1920, 3)
            )  # frames larger than necessary are reduced
            wait_for(functools.partial(sees_face, session, size))
            goes_on(bench, 5)
            assert session.status().shows == "avatar"
        assert not session.status().notices


@pytest.mark.parametrize(
    ("size", "becomes"),
    [
        ((720, 1280), (720, 1280)),
        ((2160, 3840), (1080, 1920)),
        ((4320, 7680), (1440, 2560)),
        ((1, 9000), (1, 9000)),
    ],
)
def test_frames_of_4k_cost_no_more_than_they_must(size: tuple[int, int], becomes: tuple[int, int]) -> None:
    image = np.full((*size, 3), 60, np.uint8)
    assert reduced(image).shape == (*becomes, 3)
    assert (reduced(image) == 60).all()


# The animation thread, step by step and with any clock.


class Stepped:
    """An animate stage without its thread.

    The test passes it frames of any size and time.
    """

    def __init__(self, controls: Controls) -> None:
        self.engine = DrawingEngine()
        self.frames: Slot[Frame] = Slot()
        self.notices = Notices()
        self.controls = controls
        self.stage = AnimateStage(
            lambda model, device: self.engine,
            DiscDetector,
            lambda: self.controls,
            self.frames,
            Slot(),
            NeutralStore(),
            Meter(),
            self.notices,
        )
        self.stage.open()
        self.time = 0.0
        wait_for(self._is_ready)
        self.controls = Controls(**as_fields(controls) | {"calibrations": 1})
        for _ in range(FRAMES + 1):
            self.show(draw_face())
        assert self.stage.calibrated

    def _is_ready(self) -> bool:
        self.frames.put(Frame(draw_face(), self.time, 0))
        self.stage.step()
        return self.stage.has_avatar

    def show(self, image: Image, after: float = 1 / 30) -> KeyPoints:
        """The pose rendered for the next frame, ``after`` so many seconds."""
        self.time += after
        self.frames.put(Frame(image, self.time, 0))
        self.stage.step()
        return (
            self.engine.poses[-1]
            if self.engine.poses
            else self.engine.detect(Crop(np.zeros((64, 64, 3), np.uint8)))
        )


def test_the_computer_sleeps(controls: Controls) -> None:
    stepped = Stepped(controls)
    before = stepped.show(draw_face())
    awake = stepped.show(draw_face(x=84), after=8 * 3600)
    assert np.isfinite(awake.value).all()
    later = stepped.show(draw_face(x=84))
    assert np.abs(later.value - awake.value).max() < 0.05, "no swing after the gap"
    assert np.abs(awake.value - before.value).max() < 0.3
    assert not stepped.notices.all()


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("scale", [0.5, 2, 8])
def test_a_frame_of_another_size_gives_the_same_pose(controls: Controls, follow: bool, scale: float) -> None:
    stepped = Stepped(Controls(**as_fields(controls) | {"follow": follow, "smoothing": "off"}))
    before = stepped.show(draw_face())
    width, height = round(160 * scale), round(120 * scale)
    after = stepped.show(draw_face(width, height, width / 2, height / 2, 24 * scale))
    assert np.abs(after.value - before.value).max() < 0.06


def test_the_clock_of_the_system_jumps(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = time.time
    with running(bench, controls) as session:
        calibrated(session)
        for jump in (86_400.0, -86_400.0, 0.0):
            monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
            sent = bench.sent
            assert shown_until(session, functools.partial(has_sent, bench, sent + 20)) == {"avatar"}
        assert session.status().statistics.latency_p95 < 60_000


# The engine.


def test_engine_absent_comes_by_itself(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cast, "AGAIN", 0.1)
    bench.load_fault = "drawing"
    with running(bench, controls) as session:
        notice_shown(session, "engine", "does not fit")
        wait_for(shows(session, "card", "fault"))
        bench.load_fault = ""
        calibrated(session)
        notice_cleared(session, "engine")


def output_without_thread(
    meter: Meter, pictures: Slot[Picture], notices: Notices, controls: Controls | None = None
) -> OutputStage:
    return OutputStage(
        lambda *_: KeepingSink(Bench()),
        lambda: controls or Controls(),
        pictures,
        Slot(),
        Slot(),
        lambda: "",
        meter,
        notices,
    )


@pytest.mark.parametrize(
    ("making", "age", "shown"),
    [(0.05, 0.9, True), (0.05, 1.2, False), (0.8, 1.7, True), (0.8, 2.2, False), (9.0, 3.5, False)],
)
def test_pictures_of_a_slow_engine_may_be_older(making: float, age: float, shown: bool) -> None:
    meter, pictures = Meter(), Slot[Picture]()
    for _ in range(3):
        meter.animated(making)
    pictures.put(Picture(np.zeros((64, 64, 3), np.uint8), time.monotonic() - age))
    choice = output_without_thread(meter, pictures, Notices())._choose(Controls())
    assert (choice.shows == "avatar") is shown


def test_a_slow_engine_is_told(bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.session.engine_watch.SLOW", 0.05)
    monkeypatch.setattr("avatar_app.session.engine_watch.QUICK", 0.04)

    class Slow(FaultyEngine):
        def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
            time.sleep(0.08)  # the work of a slow model
            return super().render(avatar, pose)

    with running(bench, controls, open_engine=lambda model, device: Slow(bench)) as session:
        calibrated(session)
        notice_shown(session, "engine", "ms per frame on this computer")
        assert session.status().shows == "avatar"
        monkeypatch.setattr("avatar_app.session.engine_watch.SLOW", 50)
        monkeypatch.setattr("avatar_app.session.engine_watch.QUICK", 40)
        notice_cleared(session, "engine")


def test_an_engine_that_hangs(bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_stage, "HUNG", 0.2)
    monkeypatch.setattr(output_stage, "STALE", 0.3)
    free = threading.Event()
    free.set()

    class Hanging(FaultyEngine):
        def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
            free.wait()
            return super().render(avatar, pose)

    with running(bench, controls, open_engine=lambda model, device: Hanging(bench)) as session:
        calibrated(session)
        free.clear()
        try:
            wait_for(shows(session, "card", "stale"))
            notice_shown(session, "engine", "has given no picture")
            goes_on(bench)
        finally:
            free.set()
        wait_for(shows(session, "avatar"))
        notice_cleared(session, "engine")


def test_no_memory_is_said_in_words(bench: Bench, controls: Controls) -> None:
    full = threading.Event()

    class Hungry(FaultyEngine):
        def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
            if full.is_set():
                raise MemoryError
            return super().render(avatar, pose)

    with running(bench, controls, open_engine=lambda model, device: Hungry(bench)) as session:
        calibrated(session)
        full.set()
        notice_shown(session, "engine", "memory is full")
        full.clear()
        session.retry("engine")
        wait_for(shows(session, "avatar"))


def test_photo_deleted_while_in_use_survives_a_dead_engine(bench: Bench, controls: Controls) -> None:
    assert controls.avatar is not None
    with running(bench, controls) as session:
        calibrated(session)
        controls.avatar.unlink()
        bench.engine_fault = True
        notice_shown(session, "engine", "out of memory")
        wait_for(lambda: session.status().shows == "card")
        bench.engine_fault = False
        session.retry("engine")
        wait_for(shows(session, "avatar"))
        assert not session.status().notices


def test_photo_that_comes_back_is_taken(bench: Bench, controls: Controls) -> None:
    assert controls.avatar is not None
    data = controls.avatar.read_bytes()
    controls.avatar.unlink()
    with running(bench, controls) as session:
        notice_shown(session, "avatar", "There is no photo")
        wait_for(shows(session, "card", "fault"))
        controls.avatar.write_bytes(data[:100])
        notice_shown(session, "avatar", "damaged")
        controls.avatar.write_bytes(data)
        calibrated(session)
        notice_cleared(session, "avatar")


def test_photo_that_changes_while_it_is_read_is_read_again(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert controls.avatar is not None
    data = controls.avatar.read_bytes()
    controls.avatar.write_bytes(data[:100])

    def overtaken(path: Path) -> Image:
        """The copy of the photo arrives between reading and result."""
        try:
            return read_portrait(path)
        finally:
            path.write_bytes(data)

    monkeypatch.setattr("avatar_app.session.active_avatar.read_portrait", overtaken)
    with running(bench, controls) as session:
        calibrated(session)
        notice_cleared(session, "avatar")


def test_photo_that_the_engine_cannot_take_leaves_the_last_one(
    bench: Bench, controls: Controls, tmp_path: Path
) -> None:
    class Picky(FaultyEngine):
        def encode(self, crop: Crop) -> Avatar:
            if picky.is_set():
                raise RuntimeError("bad allocation")
            return super().encode(crop)

    picky = threading.Event()
    with running(bench, controls, open_engine=lambda model, device: Picky(bench)) as session:
        calibrated(session)
        picky.set()
        session.change(avatar=write_photo(tmp_path, "other.png", 55))
        notice_shown(session, "avatar", "bad allocation")
        goes_on(bench)
        assert session.status().shows == "avatar"


# The graphics card.


class Card:
    """A graphics card whose memory another program takes.

    Engines on it fail, those on the processor do not.
    """

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.full = False
        self.opened: list[str] = []

    def open_engine(self, model: str, device: str) -> Engine:
        self.opened.append(device)
        return FaultyEngine(self.bench) if device == "cpu" else OnCard(self)

    def require_memory(self) -> None:
        if self.full:
            raise DeviceError(
                Text("The memory of cuda:0 is too small or taken for the model lite."),
                Text("Close other programs that use it."),
            )


class OnCard(FaultyEngine):
    def __init__(self, card: Card) -> None:
        super().__init__(card.bench)
        self._card = card

    def encode(self, crop: Crop) -> Avatar:
        self._card.require_memory()
        return super().encode(crop)

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        self._card.require_memory()
        return super().render(avatar, pose)


def test_full_graphics_card_leaves_the_call_to_the_processor(bench: Bench, controls: Controls) -> None:
    card = Card(bench)
    with running(bench, controls, open_engine=card.open_engine) as session:
        calibrated(session)
        card.full = True
        found = notice_shown(session, "engine", "memory of cuda:0")
        assert (found.level, found.hint) == ("warning", "The processor is used, which is slower.")
        wait_for(lambda: card.opened == ["auto", "cpu"])
        wait_for(lambda: session.status().engine)
        wait_for(shows(session, "avatar"))  # without another calibration
        card.full = False
        session.retry("engine")  # the card again, once the user has freed memory
        wait_for(lambda: card.opened == ["auto", "cpu", "auto"])
        notice_cleared(session, "engine")
        wait_for(shows(session, "avatar"))


def test_graphics_card_too_full_for_the_photo(bench: Bench, controls: Controls) -> None:
    card = Card(bench)
    card.full = True
    with running(bench, controls, open_engine=card.open_engine) as session:
        calibrated(session)
        notice_shown(session, "engine", "memory of cuda:0")
        assert card.opened == ["auto", "cpu"]
        session.change(device="cuda")  # requested by name: the card or nothing
        notice_shown(session, "engine", "memory of cuda:0")
        wait_for(lambda: "cuda" in card.opened)


def test_graphics_card_asked_for_by_name_is_tried_again(bench: Bench, controls: Controls) -> None:
    card = Card(bench)
    with running(
        bench, Controls(**as_fields(controls) | {"device": "cuda"}), open_engine=card.open_engine
    ) as session:
        calibrated(session)
        card.full = True
        assert notice_shown(session, "engine", "memory of cuda:0").level == "error"
        wait_for(lambda: session.status().shows == "card")
        assert "cpu" not in card.opened
        card.full = False
        session.retry("engine")
        wait_for(shows(session, "avatar"))
        notice_cleared(session, "engine")


# The output.


def test_output_absent_at_the_start(
    bench: Bench, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink_keeper, "SINK_PATIENCE", 0.1)
    bench.output_there = False
    with running(bench, controls) as session:
        notice_shown(session, "output", "not there")
        calibrated(session)  # the preview works
        bench.output_there = True
        wait_for(lambda: session.status().output == "kept")  # by itself
        notice_cleared(session, "output")
        goes_on(bench)


def test_slow_output_gets_the_newest_pictures(bench: Bench, controls: Controls) -> None:
    class Slow(KeepingSink):
        def watched(self) -> None:
            pass

        def send(self, picture: Outgoing) -> None:
            time.sleep(0.15)  # a reader that takes its time
            super().send(picture)

    with running(bench, controls, open_sink=lambda *_: Slow(bench)) as session:
        calibrated(session)
        goes_on(bench, 6)
        picture = session.shown()
        assert picture is not None and time.monotonic() - picture.captured_at < 5, "nothing queues up"
        assert session.status().statistics.animate_ms < 100, "the animation does not wait for it"


def test_output_that_breaks_in_an_unknown_way(bench: Bench, controls: Controls) -> None:
    broken = threading.Event()

    class Broken(KeepingSink):
        def watched(self) -> None:
            pass

        def send(self, picture: Outgoing) -> None:
            if broken.is_set():
                raise RuntimeError("ioctl failed")
            super().send(picture)

    with running(bench, controls, open_sink=lambda *_: Broken(bench)) as session:
        calibrated(session)
        broken.set()
        notice_shown(session, "output", "ioctl failed")
        broken.clear()
        session.retry("output")
        goes_on(bench)
        notice_cleared(session, "output")


def test_background_picture_deleted_while_in_use(bench: Bench, controls: Controls, tmp_path: Path) -> None:
    background = write_photo(tmp_path, "background.png")
    with running(bench, Controls(**as_fields(controls) | {"background": str(background)})) as session:
        calibrated(session)
        goes_on(bench)  # so that it has been read
        background.unlink()
        goes_on(bench)
        assert not session.status().notices, "it is in memory"
        session.change(mirror_output=True)
        notice_shown(session, "settings", "background.png")
        assert session.status().shows == "avatar"
        session.change(background="#203040")
        notice_cleared(session, "settings")


# Bundles.


def test_damaged_bundle_leaves_the_running_model(bench: Bench, controls: Controls, tmp_path: Path) -> None:
    from tests.support.bundles import write_anchored

    folder = write_anchored(tmp_path / "tiny").folder
    render = folder / "render.onnx"
    whole = render.read_bytes()
    render.write_bytes(whole[: len(whole) // 2] + bytes(20) + whole[len(whole) // 2 + 20 :])

    def open_engine(model: str, device: str) -> Engine:
        return FaultyEngine(bench) if model == "drawing" else open_model(model, "cpu")

    with running(bench, controls, open_engine=open_engine) as session:
        calibrated(session)
        session.change(model=str(folder))
        notice_shown(session, "engine", "render.onnx is damaged")
        assert session.status().shows == "avatar"
        render.write_bytes(whole)
        session.retry("engine")
        wait_for(lambda: session.status().engine.startswith("tiny"))
        for path in folder.iterdir():
            path.unlink()  # while it is in use
        session.recalibrate()  # another model has other key points
        wait_for(shows(session, "avatar"))
        goes_on(bench)
        assert not session.status().notices


def test_bundle_on_a_slow_disk(bench: Bench, controls: Controls) -> None:
    arrived = threading.Event()

    def open_engine(model: str, device: str) -> Engine:
        if model == "far":
            arrived.wait(20)
        return bench.open_engine(model, device)

    with running(bench, controls, open_engine=open_engine) as session:
        calibrated(session)
        session.change(model="far")
        wait_for(lambda: session.status().loading == "model far")
        goes_on(bench)
        assert (session.status().shows, session.status().engine) == ("avatar", "drawing")
        arrived.set()
        wait_for(lambda: session.status().engine == "far")


# What is written to the disk.


def test_recording_on_a_full_disk(
    bench: Bench, controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0)
    write, film = Recorder.write, tmp_path / "call.mp4"

    def write_noise(recorder: Recorder, picture: Outgoing, seconds: float) -> None:
        write(
            recorder, Outgoing(noise.integers(0, 255, picture.planes.shape, np.uint8), 0.0), seconds
        )  # fills the disk sooner

    monkeypatch.setattr(Recorder, "write", write_noise)
    with running(bench, Controls(**as_fields(controls) | {"fps": 10})) as session:
        calibrated(session)
        with disk_with(6_000_000):
            session.change(recording=film)
            notice_shown(session, "recording", "call.mp4 cannot be written")
            wait_for(lambda: session.status().recording is None)
            goes_on(bench, 3)
            assert session.status().shows == "avatar"
        assert playable_pictures(film) > 5
        kept = film.read_bytes()
        session.retry("recording")
        wait_for(lambda: session.status().recording == film.with_stem("call-2"))
        session.change(recording=None)
        notice_cleared(session, "recording")
    assert film.read_bytes() == kept


class Deaf:
    """A microphone that records nothing."""

    name, closed = "deaf", False

    def read(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        self.closed = True


def test_recording_to_a_folder_that_is_not_there(bench: Bench, controls: Controls, tmp_path: Path) -> None:
    microphone = Deaf()
    wishes = {"recording": tmp_path / "stick" / "call.mp4", "microphone": "deaf"}
    with running(
        bench, Controls(**as_fields(controls) | wishes), open_microphone=lambda name: microphone
    ) as session:
        calibrated(session)
        notice_shown(session, "recording", "There is no folder")
        assert session.status().recording is None
        wait_for(lambda: microphone.closed)
        session.change(recording=None)
        notice_cleared(session, "recording")


def test_slow_disk_costs_the_recording_alone(
    bench: Bench, controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, film = Recorder.write, tmp_path / "call.mp4"

    def write_slowly(recorder: Recorder, picture: Outgoing, seconds: float) -> None:
        time.sleep(0.2)  # a disk that is busy
        write(recorder, picture, seconds)

    monkeypatch.setattr(Recorder, "write", write_slowly)
    with running(bench, controls) as session:
        calibrated(session)
        session.change(recording=film)
        wait_for(lambda: session.status().recording == film)
        sent = bench.sent
        wait_for(lambda: film.stat().st_size > 0 and bench.sent > sent + 60)
        assert session.status().shows == "avatar"
        session.change(recording=None)
        wait_for(lambda: session.status().recording is None)
    assert 0 < playable_pictures(film) < 40


def test_a_recording_leaves_out_the_sleep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, film, sent = 100.0, tmp_path / "call.mp4", Slot[Outgoing]()
    monkeypatch.setattr(slot, "time", type("Clock", (), {"monotonic": staticmethod(lambda: now)}))
    stage = RecorderStage(lambda: Controls(recording=film, size=(96, 64), fps=10), sent, Notices())
    for number in range(40):
        now += 8 * 3600 if number == 20 else 0.1
        sent.put(Outgoing(np.full((96, 96), 6 * number, np.uint8), now))
        stage.step()
    stage.close()
    capture = cv2.VideoCapture(str(film))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 40
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS) < 6


def test_snapshot_on_a_full_disk_leaves_nothing(bench: Bench, controls: Controls, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    with running(bench, controls) as session:
        calibrated(session)
        with disk_with(1000), pytest.raises(OutputError, match="cannot be written") as caught:
            session.snapshot(folder / "still.png")
        assert caught.value.hint
        assert not list(folder.iterdir())
        session.snapshot(folder / "still.png")
        assert cv2.imread(str(folder / "still.png")) is not None


# The file of neutral poses.

POSE = KeyPoints(np.array([[-0.5, -0.2], [0.5, 0.2]], np.float32), depth=np.zeros(2, np.float32))


def entry(scale: float = 1.0) -> dict[str, Any]:
    return {"value": (POSE.value * scale).tolist(), "jacobian": None, "depth": [0, 0]}


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\0",
        b"",
        b"[1]",
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a": {"value": [[1' + b"0" * 400 + b', 2]], "jacobian": null, "depth": null}}',
    ],
)
def test_damaged_neutral_poses_never_keep_the_app_from_starting(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "poses.json"
    path.write_bytes(content)
    store = NeutralStore(path)
    assert store.get("a") is None
    store.put("a", POSE)
    assert NeutralStore(path).get("a") is not None


def test_one_damaged_neutral_pose_does_not_cost_the_others(tmp_path: Path) -> None:
    path = tmp_path / "poses.json"
    path.write_text(json.dumps({"good": entry(), "torn": entry(1e20), "cut": {"value": [[1]]}, "odd": 3}))
    store = NeutralStore(path)
    assert [store.get(key) is not None for key in ("good", "torn", "cut", "odd")] == [
        True,
        False,
        False,
        False,
    ]


def test_two_instances_keep_each_others_neutral_poses(tmp_path: Path) -> None:
    first, second = NeutralStore(tmp_path / "poses.json"), NeutralStore(tmp_path / "poses.json")
    first.put("one", POSE)
    second.put("two", POSE)
    third = NeutralStore(tmp_path / "poses.json")
    assert third.get("one") is not None and third.get("two") is not None


def test_neutral_pose_that_cannot_be_kept_works_all_the_same(
    bench: Bench, controls: Controls, tmp_path: Path
) -> None:
    store = NeutralStore(tmp_path / "poses.json")
    store.put("other", POSE)
    kept = (tmp_path / "poses.json").read_bytes()
    with running(bench, controls, store) as session:
        with disk_with(0):
            calibrated(session)
            notice_shown(session, "settings", "The calibration cannot be kept on disk")
        assert (tmp_path / "poses.json").read_bytes() == kept
        session.recalibrate()
        notice_cleared(session, "settings")
    assert len(json.loads((tmp_path / "poses.json").read_bytes())) == 2


# The face networks.


def test_damaged_face_networks_are_told(bench: Bench, controls: Controls) -> None:
    there = threading.Event()

    def open_detector() -> DiscDetector:
        if not there.is_set():
            raise BundleError(Text("The file finder.onnx is damaged."), Text("Install the app again."))
        return DiscDetector()

    with running(bench, controls, open_detector=open_detector) as session:
        notice_shown(session, "engine", "finder.onnx is damaged")
        wait_for(shows(session, "card", "fault"))
        goes_on(bench)
        there.set()
        session.retry("engine")
        calibrated(session)
