"""``live`` for scripts: what it reports, when it calibrates, how it ends."""

from __future__ import annotations

import _thread
import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from avatar_app import cli
from avatar_app.commands import live
from avatar_app.control import server as control
from avatar_app.photos.library import Library
from avatar_app.session.commands import Commands
from avatar_app.session.controls import Controls
from avatar_app.session.face_watch import STILL_FACE
from avatar_app.session.session import Session
from avatar_app.sound.microphone import MicrophoneInfo
from tests.session.live import PATIENCE, Bench, KeepingSink, MarkedCamera, wait_for, write_photo
from tests.session.stand_ins import DiscDetector


class Runs:
    """Runs ``live`` with parts that the test can break.

    ``sessions`` lists them all, the newest last.
    """

    def __init__(self, folder: Path) -> None:
        self.bench = Bench()
        self.sessions: list[Session] = []
        self.report = folder / "report.json"
        self._photo = write_photo(folder)

    def make(self, *arguments: Any) -> Session:
        parts = partial(
            Session,
            open_source=lambda text: MarkedCamera(self.bench),
            open_engine=self.bench.open_engine,
            open_detector=DiscDetector,
            open_sink=lambda kind, device, size, fps: KeepingSink(self.bench),
        )
        self.sessions.append(parts(*arguments))
        return self.sessions[-1]

    def run(
        self, *words: str, until: Callable[[], object] | None = None, end: Callable[[], object] | None = None
    ) -> int:
        """The exit code; calls ``end`` once ``until`` holds.

        Ends in any case, so that a failure does not hang.
        """

        def watch() -> None:
            wait_for(lambda: len(self.sessions) > before and until and until())
            if end:
                end()

        before = len(self.sessions)
        watcher = threading.Thread(target=watch)
        if until:
            words += ("--seconds", str(PATIENCE + 5))
            watcher.start()
        try:
            return cli.main(
                [
                    "live",
                    "--avatar",
                    str(self._photo),
                    "--size",
                    "640x480",
                    "--json",
                    str(self.report),
                    *words,
                ]
            )
        finally:
            if until:
                watcher.join()

    @property
    def reported(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.report.read_text())
        return content


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs(tmp_path)
    monkeypatch.setattr(live, "Session", runs.make)
    monkeypatch.setattr(live, "user_neutrals", lambda: tmp_path / "poses.json")
    monkeypatch.setattr(live, "CALIBRATE_AFTER", 0.0)
    monkeypatch.setattr(control, "default_path", lambda name="": tmp_path / "run" / "control.socket")
    return runs


def leave() -> None:
    """End it as another process would."""
    control.send_command("quit")


def test_after_ctrl_c_the_report_still_says_what_happened(runs: Runs) -> None:
    assert runs.run(until=lambda: runs.sessions[-1].status().avatars > 20, end=_thread.interrupt_main) == 0
    assert runs.reported["during"]["shows"]["avatar"] >= 1
    assert runs.reported["avatars"] > 20


def test_a_second_one_leaves_camera_and_output_alone(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Session] = []
    monkeypatch.setattr(Session, "start", started.append)
    first = control.ControlServer(lambda command: command, tmp_path / "run" / "control.socket")
    first.start()
    try:
        assert runs.run("--seconds", "1") == 2
    finally:
        first.close()
    assert started == []
    assert (
        capsys.readouterr().err
        == "error: The app is running already. Use the running one, or quit it first.\n"
    )


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"face": False}, "no face was seen to take the neutral pose of"),
        ({"plugged": False}, "the camera gave no picture"),
        ({"output_there": False}, "the output did not take it"),
        ({"load_fault": "lite"}, "something failed"),
    ],
)
def test_without_any_avatar_it_fails_and_says_why(
    runs: Runs, broken: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in broken.items():
        setattr(runs.bench, name, value)
    assert runs.run("--seconds", "1.5") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"error: No avatar was sent: {said}. See the notices above, or run `doctor`."
    assert runs.reported["avatars"] == 0


def test_a_remembered_pose_without_a_face_is_told_so(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert runs.run(until=lambda: runs.sessions[-1].status().avatars, end=leave) == 0
    runs.bench.face = False
    assert runs.run(until=lambda: runs.sessions[-1].status().reason == "no-face", end=leave) == 1
    assert "No avatar was sent: no face was seen." in capsys.readouterr().err


@pytest.mark.parametrize("output", ["none", "virtual-camera"])
def test_a_wrong_camera_is_the_reason_whatever_else_is_not_ready(
    runs: Runs, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.bench.plugged = False
    assert runs.run("--output", output, "--seconds", "0.3") == 1
    assert "No avatar was sent: the camera gave no picture." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("http://host/x.mp4", "Nothing can be sent to an address that begins with http://"),
        ("rtmp:///app/s3cret", "has no host"),
        ("udp://host", "no port"),
        ("srt://host:s3cret", "no port"),
    ],
)
def test_address_that_cannot_be_sent_to(
    runs: Runs, address: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs.run("--output", address) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "s3cret" not in said
    assert not runs.sessions


@pytest.mark.parametrize("background", ["transparent", "missing.png", "#12"])
def test_background_that_cannot_be_shown(
    runs: Runs, background: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs.run("--background", background) == 2
    assert background in capsys.readouterr().err
    assert not runs.sessions


def test_the_key_of_a_stream_is_not_told(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.run("--output", "rtmp://127.0.0.1:1/live/s3cret", "--seconds", "0.1")
    assert runs.sessions[-1].controls.output_device.endswith("s3cret")
    assert "s3cret" not in "".join(capsys.readouterr()) + runs.report.read_text()


@pytest.mark.parametrize("device", ["avatar://", "avatar://192.0.2.7#token=s3cret", "cuda:x", "gpu"])
def test_a_device_that_cannot_be_is_said_at_once(
    runs: Runs, device: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runs.run("--device", device) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "s3cret" not in said


def test_a_card_that_was_asked_for_is_no_failure(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        runs.run(
            "--calibrate-after",
            "-1",
            until=lambda: runs.sessions[-1].status().reason == "uncalibrated",
            end=leave,
        )
        == 0
    )
    assert "No avatar" not in capsys.readouterr().err


def test_a_remembered_pose_is_used_unless_a_time_to_calibrate_was_named(runs: Runs) -> None:
    assert runs.run(until=lambda: runs.sessions[-1].status().avatars, end=leave) == 0
    assert runs.sessions[-1].controls.calibrations == 1
    assert runs.run(until=lambda: runs.sessions[-1].status().avatars > 20, end=leave) == 0
    assert runs.sessions[-1].controls.calibrations == 0
    assert (
        runs.run("--calibrate-after", "0.3", until=lambda: runs.sessions[-1].controls.calibrations, end=leave)
        == 0
    )
    assert runs.sessions[-1].controls.calibrations == 1


@pytest.mark.parametrize(
    "source", ["rtsp://me:s3cret@127.0.0.1:1/live", "http://127.0.0.1:1/user=me&password=s3cret"]
)
def test_no_password_is_written_or_said(runs: Runs, source: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs.bench.plugged = False
    assert runs.run("--source", source, "--seconds", "0.5") == 1
    assert runs.reported["source"].startswith(source[:4])
    assert "s3cret" not in "".join(capsys.readouterr()) + runs.report.read_text()


def test_a_name_that_no_file_can_have_is_an_error_in_one_line(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["live", "--avatar", "x" * 5000]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("command", ["pause", "resume", "next", "previous", "avatar anna"])
def test_commands_take_the_real_face_away(command: str, tmp_path: Path) -> None:
    session = Session(Controls(pass_through=True))
    Commands(session, Library(tmp_path), {})(command)
    assert not session.controls.pass_through


def test_the_pose_of_a_poster_is_taken_again_from_a_person(runs: Runs) -> None:
    runs.bench.still = True

    def given_up() -> bool:
        return any(notice == STILL_FACE for notice in runs.sessions[-1].status().notices)

    def person_comes() -> None:
        runs.bench.still = False
        wait_for(lambda: runs.sessions[-1].controls.calibrations == 2)
        wait_for(lambda: runs.sessions[-1].status().shows == "avatar")
        leave()

    assert runs.run(until=given_up, end=person_comes) == 0


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_the_camera_can_be_turned(runs: Runs, degrees: int) -> None:
    runs.run("--rotate", str(degrees), "--seconds", "0.1")
    assert runs.sessions[-1].controls.rotation == degrees


def test_a_microphone_that_is_not_there_is_an_error_in_one_line(
    runs: Runs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "list_microphones", lambda: [MicrophoneInfo("Yeti", "yeti")])
    assert runs.run("--microphone", "Rode") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert 'There is no microphone "Rode". Choose one of "Yeti"' in said
    assert not runs.sessions


def test_a_microphone_is_listened_to_where_it_is_asked_for(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "list_microphones", lambda: [MicrophoneInfo("Yeti", "yeti")])
    monkeypatch.setattr(live, "require_virtual_microphone", lambda: None)
    runs.run("--microphone", "Yeti", "--seconds", "0.1")
    assert (runs.sessions[-1].controls.microphone, runs.sessions[-1].controls.pass_sound) == ("Yeti", False)
    runs.run("--virtual-microphone", "--seconds", "0.1")
    assert (runs.sessions[-1].controls.microphone, runs.sessions[-1].controls.pass_sound) == ("default", True)
