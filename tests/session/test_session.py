"""A whole session with parts that can fail: what the call sees, what the user is told, what remains."""

from __future__ import annotations

import dataclasses
import gc
import threading
import time
from pathlib import Path
from typing import Any, get_type_hints

import cv2
import numpy as np
import pytest

from avatar_app.errors import OutputError
from avatar_app.motion.calibration import NeutralStore
from avatar_app.outputs.canvas import Canvas
from avatar_app.outputs.i420 import Outgoing
from avatar_app.outputs.pipewire import PipeWireCamera
from avatar_app.outputs.recorder import Recorder
from avatar_app.outputs.sinks import NoSink, Sink, VirtualCameraSink
from avatar_app.session.controls import Controls, changed
from avatar_app.session.output_stage import OutputStage
from avatar_app.session.slot import Slot
from avatar_app.session.stage import Notices
from avatar_app.session.statistics import Meter
from avatar_app.types import Avatar, Box, Crop, Frame, Image, KeyPoints, Picture
from tests.session.live import (
    PATTERN,
    Bench,
    FaultyEngine,
    KeepingSink,
    has_pattern,
    shows,
    wait_for,
    write_photo,
)
from tests.session.stand_ins import draw_face


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def controls(tmp_path: Path) -> Controls:
    return Controls(
        avatar=write_photo(tmp_path), output="virtual-camera", fps=60, size=(640, 480), model="drawing"
    )


def test_the_pattern_would_be_noticed() -> None:
    frame = np.zeros((120, 160, 3), np.uint8)
    assert not has_pattern(frame)
    frame[:20, :40] = PATTERN
    assert has_pattern(cv2.resize(frame, (1280, 720)))


def test_nothing_but_the_card_leaves_before_the_calibration(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(shows(session, "card", "uncalibrated"))
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        assert session.status().calibrated
        session.change(paused=True)
        wait_for(shows(session, "card", "paused"))
        card = bench.newest
        session.change(paused=False)
        wait_for(shows(session, "avatar"))
        wait_for(
            lambda: card is not None and bench.newest is not None and not np.array_equal(bench.newest, card)
        )
    assert bench.sent > 4
    assert bench.leaks == 0


def test_the_camera_shows_only_while_pass_through_is_on(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(shows(session, "card", "uncalibrated"))
        session.change(pass_through=True)
        wait_for(shows(session, "self"))
        wait_for(lambda: bench.leaks > 0, "the camera itself")
        session.change(paused=True)  # pausing has priority over passing through
        wait_for(shows(session, "card", "paused"))
        session.change(paused=False, pass_through=False)
        wait_for(shows(session, "card", "uncalibrated"))
        before = bench.leaks
        sent = bench.sent
        wait_for(lambda: bench.sent > sent + 5)
        assert bench.leaks == before


@pytest.mark.parametrize("route", ["pause", "other", "same", "crop", "resume"])
def test_a_confirmation_to_show_the_face_ends_with_a_pause_or_an_avatar(
    bench: Bench, controls: Controls, tmp_path: Path, route: str
) -> None:
    """However the user leaves the camera's picture, it returns only after ``pass_through`` is set again."""
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        session.change(pass_through=True)
        wait_for(lambda: bench.leaks > 0, "the camera itself")
        if route == "pause":
            session.change(paused=True)
            wait_for(shows(session, "card", "paused"))
            session.change(
                pass_through=True
            )  # confirmed during a pause: the still card stays, followed by the avatar
        changes: dict[str, dict[str, Any]] = {
            "pause": {"paused": False},
            "other": {"avatar": write_photo(tmp_path, "other.png", 55), "avatar_box": None},
            "same": {"avatar": controls.avatar},
            "crop": {"avatar_box": Box(80.0, 80.0, 100.0)},
            "resume": {"paused": False},
        }
        session.change(**changes[route])
        wait_for(shows(session, "avatar"))
        sent, leaks = bench.sent, bench.leaks
        wait_for(lambda: bench.sent > sent + 10)
        assert bench.leaks == leaks
        session.change(pass_through=True)
        wait_for(lambda: bench.leaks > leaks, "the camera after a new confirmation")


def test_one_change_cannot_both_choose_and_show_the_face(controls: Controls) -> None:
    assert changed(controls, pass_through=True).pass_through
    choices: list[dict[str, Any]] = [
        {"paused": True},
        {"paused": False},
        {"avatar": controls.avatar},
        {"avatar_box": None},
    ]
    for also in choices:
        assert not changed(controls, pass_through=True, **also).pass_through
    passing = changed(controls, pass_through=True)
    assert changed(passing, zoom=1.2, source="other").pass_through


def test_a_pause_during_the_wait_for_a_frame_hides_that_frame(controls: Controls) -> None:
    wanted = [changed(controls, pass_through=True)]
    frames = Slot[Frame]()
    stage = OutputStage(
        lambda *_: KeepingSink(kept),
        lambda: wanted[-1],
        Slot(),
        frames,
        Slot(),
        lambda: "",
        Meter(),
        Notices(),
    )
    kept = Bench()
    marked = draw_face()
    marked[:20, :40] = PATTERN
    stage.open()
    frames.put(Frame(marked, time.monotonic(), 0))
    stage.step()
    assert kept.leaks == 1

    def come(known: Frame | None, seconds: float) -> Frame:
        """The user pauses, and then the awaited frame arrives."""
        wanted.append(changed(wanted[-1], paused=True))
        return Frame(marked, time.monotonic(), 1)

    frames.watch = come  # type: ignore[method-assign]
    stage.step()
    assert (stage.choice.shows, stage.choice.reason) == ("card", "paused")
    assert (kept.sent, kept.leaks) == (2, 1)
    stage.close()


def test_an_unplugged_camera_recovers_by_itself(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        bench.plugged = False
        wait_for(shows(session, "card", "no-camera"))
        notice = next(n for n in session.status().notices if n.about == "camera")
        assert "unplugged" in notice.message or "not there" in notice.message
        assert "retry" in notice.actions
        assert session.seen() is None
        bench.plugged = True
        session.retry("camera")
        wait_for(shows(session, "avatar"))
        assert all(n.about != "camera" for n in session.status().notices)
    assert bench.leaks == 0


def test_nothing_is_seen_through_an_unplugged_camera(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().match)
        bench.face = False
        wait_for(lambda: any(n.about == "face" for n in session.status().notices))
        bench.face = True
        wait_for(lambda: session.status().match)
        bench.plugged = False
        wait_for(lambda: not session.status().face and session.status().match is None)
        session.recalibrate()
        wait_for(shows(session, "card", "no-camera"))
        assert session.status().calibrating is None, "there is nobody to hold still"
        bench.plugged = True
        session.retry("camera")
        wait_for(shows(session, "avatar"))  # the request is executed once it can be


def test_the_camera_and_not_the_user_is_to_blame(bench: Bench, controls: Controls) -> None:
    bench.face = False
    with bench.session(controls) as session:
        wait_for(lambda: any(n.about == "face" for n in session.status().notices))
        bench.plugged = False
        wait_for(lambda: {n.about for n in session.status().notices} == {"camera"})


class PhotoEngine(FaultyEngine):
    """Renders one grey level: the mean of the crop."""

    def encode(self, crop: Crop) -> Avatar:
        return Avatar(self.detect(crop), int(crop.image.mean()))

    def render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        return np.full((self.size, self.size, 3), avatar.features, np.uint8)


def test_another_crop_of_the_same_photo_has_its_own_blurred_sides(bench: Bench, controls: Controls) -> None:
    bench.open_engine = lambda model, device: PhotoEngine(bench)  # type: ignore[method-assign]

    def grey(column: int) -> int:
        return 0 if bench.newest is None else int(bench.newest[240, column].mean())

    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        session.change(avatar_box=Box(160.0, 160.0, 100.0))  # inside the white disc
        wait_for(lambda: grey(320) > 250)
        bright = grey(5)
        session.change(avatar_box=Box(160.0, 160.0, 320.0))
        wait_for(lambda: 0 < grey(320) < 150)
        wait_for(lambda: grey(5) < bright - 50, "the sides of this crop")


def test_a_failing_engine_gives_the_card_and_comes_back(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        bench.engine_fault = True
        wait_for(lambda: session.status().shows == "card")
        wait_for(lambda: any("out of memory" in n.message for n in session.status().notices))
        bench.engine_fault = False
        session.retry("engine")
        wait_for(shows(session, "avatar"))  # without another calibration
        assert not session.status().notices
    assert bench.leaks == 0
    assert bench.engines == 0


def test_a_lost_output_neither_stops_the_preview_nor_ages_it(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        bench.output_there = False
        wait_for(lambda: any(n.about == "output" for n in session.status().notices))
        before = session.shown()
        wait_for(lambda: (now := session.shown()) is not None and now is not before)
        bench.output_there = True
        session.retry("output")
        wait_for(lambda: session.status().output == "kept")
        assert all(n.about != "output" for n in session.status().notices)


def test_avatars_change_while_running_and_keep_the_calibration(
    bench: Bench, controls: Controls, tmp_path: Path
) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        first = session.portrait()
        session.change(avatar=write_photo(tmp_path, "other.png", 55))
        wait_for(lambda: session.portrait() is not first)
        wait_for(shows(session, "avatar"))
        broken = tmp_path / "broken.png"
        broken.write_bytes(b"no picture")
        session.change(avatar=broken)
        wait_for(lambda: any(n.about == "avatar" for n in session.status().notices))
        assert session.status().shows == "avatar"  # the last valid one stays
    assert bench.leaks == 0


def test_a_model_that_does_not_load_leaves_the_old_one_running(bench: Bench, controls: Controls) -> None:
    bench.load_fault = "broken"
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        session.change(model="broken")
        wait_for(lambda: any("does not fit" in n.message for n in session.status().notices))
        assert session.status().shows == "avatar"
        assert session.status().engine == "drawing"
        session.change(model="second")
        wait_for(lambda: session.status().engine == "second")
        assert not session.status().notices
        assert bench.engines == 1


def test_without_a_face_the_avatar_holds_and_the_user_is_told(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        bench.face = False
        wait_for(lambda: any(n.about == "face" for n in session.status().notices))
        assert session.status().shows == "avatar"
        assert session.status().match is None
        bench.face = True
        wait_for(lambda: not session.status().notices)


def test_seeking_takes_better_moments(bench: Bench, controls: Controls) -> None:
    with bench.session(controls) as session:
        wait_for(lambda: session.status().face)
        session.change(seeking=True)
        wait_for(lambda: session.status().found > 0)
        wait_for(shows(session, "avatar"))


def test_a_recording_and_a_snapshot_show_what_was_sent(
    bench: Bench, controls: Controls, tmp_path: Path
) -> None:
    film, still = tmp_path / "call.mp4", tmp_path / "still.png"
    with bench.session(controls) as session:
        with pytest.raises(OutputError, match="no folder"):
            wait_for(lambda: session.shown() is not None)
            session.snapshot(tmp_path / "nowhere" / "still.png")
        session.change(recording=film)
        wait_for(lambda: session.status().recording == film)
        sent = bench.sent
        wait_for(lambda: bench.sent > sent + 30)
        session.change(size=(1280, 720))
        wait_for(lambda: session.status().recording == film.with_stem("call-2"))
        session.change(recording=None, size=(640, 480))
        wait_for(lambda: session.status().recording is None)
        wait_for(lambda: (now := session.shown()) is not None and now.size == (640, 480))
        session.snapshot(still)
    picture = cv2.imread(str(still))
    assert picture is not None and picture.shape == (480, 640, 3)
    capture = cv2.VideoCapture(str(film))
    frames = 0
    while capture.read()[0]:
        frames += 1
    assert frames >= 10


def test_starting_and_stopping_leaves_nothing_behind(bench: Bench, controls: Controls) -> None:
    before = threading.active_count()
    for _ in range(10):
        with bench.session(controls) as session:
            wait_for(lambda: session.status().face)  # called at once
    gc.collect()
    assert threading.active_count() == before
    assert (bench.opened, bench.sinks, bench.engines) == (0, 0, 0)


def test_statistics_count_what_happened(bench: Bench, controls: Controls) -> None:
    with bench.session(dataclasses.replace(controls, fps=20)) as session:
        wait_for(lambda: session.status().face)
        session.recalibrate()
        wait_for(shows(session, "avatar"))
        wait_for(lambda: session.status().statistics.avatar_fps > 1)
        statistics = session.status().statistics
        # The camera delivers about 100 frames a second, of which at most 27 can be shown.
        assert statistics.camera_fps > statistics.avatar_fps
        assert 0 < statistics.latency_p50 <= statistics.latency_p95
        assert statistics.sent >= statistics.repeated


def test_a_neutral_pose_is_remembered_for_its_avatar(tmp_path: Path) -> None:
    pose = KeyPoints(np.ones((3, 2), np.float32), depth=np.zeros(3, np.float32))
    NeutralStore(tmp_path / "poses.json").put("lite|photo", pose)
    again = NeutralStore(tmp_path / "poses.json")
    found = again.get("lite|photo")
    assert found is not None and np.array_equal(found.value, pose.value) and found.jacobian is None
    assert again.get("lite|other") is None
    for text in (
        "nonsense",
        "[]",
        '{"a": {"value": [[1, 2]], "jacobian": null, "depth": [1, 2]}}',
        '{"a": 3}',
    ):
        (tmp_path / "poses.json").write_text(text)
        assert NeutralStore(tmp_path / "poses.json").get("a") is None


def test_a_frame_is_no_picture() -> None:
    """The type that an output accepts is not the one that a camera delivers.

    Mypy enforces the border, this test the names.
    """
    assert (
        not issubclass(Frame, Picture)
        and not issubclass(Frame, Outgoing)
        and not issubclass(Picture, Outgoing)
    )
    takers = (Sink.send, VirtualCameraSink.send, PipeWireCamera.send, NoSink.send, Recorder.write)
    assert all(get_type_hints(taker)["picture"] is Outgoing for taker in takers)
    assert get_type_hints(Canvas.compose) == {"picture": Picture, "return": Outgoing}
    assert get_type_hints(Canvas.compose_wide) == {"frame": Frame, "return": Outgoing}


def test_a_picture_that_is_repeated_is_composed_once(controls: Controls) -> None:
    pictures, sent = Slot[Picture](), Slot[Outgoing]()
    wanted = [dataclasses.replace(controls, fps=60)]
    stage = OutputStage(
        lambda *_: KeepingSink(Bench()),
        lambda: wanted[-1],
        pictures,
        Slot(),
        sent,
        lambda: "",
        Meter(),
        Notices(),
    )
    stage.open()
    pictures.put(Picture(draw_face(160, 160), time.monotonic(), "anna"))
    stage.step()
    first = stage.shown
    stage.step()
    assert first is not None and stage.shown is first and sent.take(0) is first
    wanted.append(changed(wanted[-1], label=True))
    stage.step()
    assert stage.shown is not None and not np.array_equal(stage.shown.planes, first.planes), (
        "another look is composed at once"
    )
    wanted.append(changed(wanted[-1], paused=True))
    stage.step()
    card = stage.shown
    stage.step()
    assert stage.shown.planes is card.planes, "the card is converted once"
    stage.close()


def test_passing_through_sends_each_frame_once_as_new(controls: Controls) -> None:
    """A frame is sent when it arrives, and a repeated one counts as a repeat."""
    pictures, frames, meter = Slot[Picture](), Slot[Frame](), Meter()
    wanted = dataclasses.replace(controls, pass_through=True, fps=30)
    stage = OutputStage(
        lambda *_: KeepingSink(Bench()),
        lambda: wanted,
        pictures,
        frames,
        Slot(),
        lambda: "",
        meter,
        Notices(),
    )
    stage.open()
    for index in range(3):
        frames.put(Frame(draw_face(), time.monotonic(), index))
        for _ in range(2):
            stage.step()
            assert stage.choice.shows == "self"
    assert (meter.statistics().sent, meter.statistics().repeated) == (6, 3)
    before = stage.shown
    frames.put(Frame(draw_face(), time.monotonic(), 3))
    stage.step()
    assert stage.shown is not None and before is not None and stage.shown.captured_at > before.captured_at
    frames.put(Frame(draw_face(), time.monotonic() - 2, 4))
    stage.step()
    assert (stage.choice.shows, stage.choice.reason) == ("card", "no-camera")
    stage.close()


def test_looking_on_takes_nothing() -> None:
    slot = Slot[str]()
    assert slot.watch(None, 0) is None
    slot.put(first := "first")
    assert slot.watch(None, 0) is first
    assert slot.watch(first, 0) is None
    assert slot.take(0) is first
    slot.put(second := "second")
    assert slot.watch(first, 60) is second
    threading.Timer(0.01, slot.close).start()
    assert slot.watch(second, 60) is None
