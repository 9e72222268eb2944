"""Start-up: one instance, Qt's environment, a delayed session, and uncaught exceptions."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import PIL.Image
import pytest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from avatar_app.cli import main
from avatar_app.control import server as control
from avatar_app.control.server import ControlServer, send_command
from avatar_app.errors import AvatarError
from avatar_app.gui import one_instance
from avatar_app.gui import remote as remote_module
from avatar_app.gui.app import clear_qt_variables, require_screen
from avatar_app.gui.bug_dialog import BugDialog
from avatar_app.gui.device_lists import Found, Outlet
from avatar_app.gui.guide.guide import Guide
from avatar_app.gui.live import LateSession
from avatar_app.gui.one_instance import hand_over
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.remote import Remote
from avatar_app.gui.settings import Settings
from avatar_app.gui.start import first_controls, first_output
from avatar_app.hotkeys.combination import refused
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, parse
from avatar_app.session.commands import Commands
from avatar_app.session.controls import Controls
from avatar_app.text import Text
from tests.gui.stand_in import StandIn
from tests.gui.windows import make_library, open_window

ROOT = Path(__file__).resolve().parents[2]


def test_what_cv2_sets_for_qt_is_cleared_and_the_users_own_is_not() -> None:
    environment = {
        "QT_QPA_PLATFORM_PLUGIN_PATH": "/x/site-packages/cv2/qt/plugins",
        "QT_QPA_FONTDIR": "/usr/share/fonts",
    }
    clear_qt_variables(environment)
    assert environment == {"QT_QPA_FONTDIR": "/usr/share/fonts"}
    clear_qt_variables(environment)


def test_qt_starts_after_cv2() -> None:
    code = (
        "import cv2, os; from avatar_app.gui.app import clear_qt_variables; clear_qt_variables();"
        "assert not any('cv2' in os.environ.get(name, '') for name in ('QT_QPA_PLATFORM_PLUGIN_PATH', "
        "'QT_QPA_FONTDIR'));"
        "from PySide6.QtWidgets import QApplication; print(QApplication([]).platformName())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "offscreen", done.stderr


@pytest.fixture
def running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[str], str]], list[str]]]:
    """Start an instance with a given answer; returns the commands that it received."""
    monkeypatch.setattr(control, "default_path", lambda name="": tmp_path / "control.socket")
    servers: list[ControlServer] = []

    def start(answer: Callable[[str], str]) -> list[str]:
        asked: list[str] = []

        def handle(command: str) -> str:
            asked.append(command)
            return answer(command)

        servers.append(ControlServer(handle, tmp_path / "control.socket"))
        servers[0].start()
        return asked

    yield start
    for server in servers:
        server.close()


Running = Callable[[Callable[[str], str]], list[str]]


def test_a_second_start_raises_the_first_window_and_hands_over_the_avatar(running: Running) -> None:
    assert not hand_over(options())
    asked = running(lambda command: "")
    assert hand_over(options())
    assert hand_over(options(avatar="Marco"))
    assert asked == ["raise", "raise", "avatar Marco"]


def test_options_that_a_running_window_cannot_take_are_refused(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = running(lambda command: "")
    assert main(["--source", "clip.mp4", "--avatar", "Marco", "--output", "none"]) == 2
    said = capsys.readouterr().err
    assert "running already" in said
    assert "--source, --output" in said
    assert asked == ["raise"], "all or nothing"


@pytest.mark.parametrize("words", [[], ["--avatar", "Marco"]])
def test_no_window_opens_beside_live(
    running: Running, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    """Answered by the real ``live``."""
    commands = Commands(StandIn(), make_library(tmp_path), {})
    asked = running(lambda command: str(commands(command)))
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "without a window" in said
    assert "Stop `live` first" in said
    assert asked == ["raise"]


def test_a_refused_avatar_and_an_app_that_hangs_are_said(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(command: str) -> str:
        if command != "raise":
            raise AvatarError(Text("There is no photo Nobody in the gallery."), Text("It has: Anna."))
        return ""

    running(answer)
    with pytest.raises(AvatarError, match="Nobody"):
        hand_over(options(avatar="Nobody"))

    def hang(command: str) -> None:
        raise AvatarError(Text("The app did not answer within 2 seconds."), Text("Try again."))

    monkeypatch.setattr(one_instance, "send_command", hang)
    with pytest.raises(AvatarError, match="did not answer"):
        hand_over(options())


def test_another_process_controls_the_window(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path, Settings(global_hotkeys=False))
    path = tmp_path / "run" / "control.socket"
    remote = Remote(opened.window, path)
    remote.start()
    try:
        assert send_command("recalibrate", path=path)["ok"]
        assert opened.live.controls.calibrations == 1
        assert send_command("pause", path=path)["ok"]
        paused = [opened.live.controls.paused]
        assert send_command("resume", path=path)["ok"]
        assert [*paused, opened.live.controls.paused] == [True, False]
        send_command("avatar Marco", path=path)
        qtbot.waitUntil(lambda: opened.live.controls.avatar is not None)
        assert opened.live.controls.avatar is not None
        assert opened.live.controls.avatar.stem == "marco"
        send_command("next", path=path)
        qtbot.waitUntil(
            lambda: opened.live.controls.avatar is not None and opened.live.controls.avatar.stem == "zola"
        )
        assert "shows avatar" in send_command("status", path=path)["message"]
        wrong = send_command("avatar Nobody", path=path)
        assert not wrong["ok"]
        assert "Marco" in wrong["hint"]
        opened.window.hide()
        send_command("raise", path=path)
        qtbot.waitUntil(opened.window.isVisible)
        with qtbot.waitSignal(opened.window.ended):
            send_command("quit", path=path)
    finally:
        remote.close()


class Listening:
    """Stands in for hotkeys; ``said`` is what was asked of all of them."""

    said: ClassVar[list[object]] = []

    def __init__(
        self,
        bindings: dict[str, str],
        pressed: Callable[[str], None],
        describe: Callable[[str], str],
        changed: Callable[[], None],
    ) -> None:
        self.bindings, self.changed = bindings, changed
        self.problems: list[Text] = []

    def start(self) -> list[Text]:
        self.said.append(self.bindings)
        return self.problems

    def close(self) -> None:
        self.said.append("closed")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.setattr(remote_module, "Hotkeys", Listening)
    monkeypatch.setattr(Listening, "said", [])
    return Listening.said


def test_changed_hotkeys_are_listened_to_at_once(qtbot: QtBot, tmp_path: Path, said: list[object]) -> None:
    opened = open_window(qtbot, tmp_path)
    remote = Remote(opened.window, tmp_path / "run" / "control.socket")
    remote.start()
    qtbot.waitUntil(lambda: len(said) == 1)
    opened.preferences.change(mirror_preview=False)
    remote.follow_settings()
    opened.preferences.change(hotkeys={"pause": "Ctrl+Alt+F5"})
    remote.follow_settings()
    qtbot.waitUntil(lambda: len(said) == 3)
    remote.close()
    assert said == [DEFAULT_HOTKEYS, "closed", {**DEFAULT_HOTKEYS, "pause": "Ctrl+Alt+F5"}, "closed"]


@pytest.mark.usefixtures("said")
def test_all_refused_hotkeys_are_shown_until_they_work(qtbot: QtBot, tmp_path: Path) -> None:
    opened = open_window(qtbot, tmp_path)
    remote = Remote(opened.window, tmp_path / "run" / "control.socket")
    remote.start()
    keys: Any = remote._hotkeys

    def shown() -> list[str]:
        return [str(banner.notice.message) for banner in opened.window.notices.banners.values()]

    wanted = {parse("Ctrl+Alt+X"): "recalibrate", parse("Ctrl+Alt+2"): "avatar-2"}
    keys.problems = [Text("One."), *refused(dict.fromkeys(wanted, Text("taken by another program")), wanted)]
    keys.changed()
    qtbot.waitUntil(lambda: bool(shown()))
    assert shown() == [
        "One. Shortcuts not available (taken by another program): Ctrl+Alt+X (recalibrate), "
        "Ctrl+Alt+2 (avatar 2). Choose others in the settings."
    ]
    opened.window.notices.remove("hotkeys")
    keys.changed()  # another keyboard layout, say, with the same keys missing
    assert shown() == []
    keys.problems = [Text("One.")]
    keys.changed()
    qtbot.waitUntil(lambda: shown() == ["One."])
    keys.problems = []
    keys.changed()
    qtbot.waitUntil(lambda: not shown())
    remote.close()


def test_what_the_desktop_never_allows_is_told_once(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    opened = open_window(qtbot, tmp_path)
    remotes = []
    for start in range(2):
        remotes.append(Remote(opened.window, tmp_path / "run" / f"control{start}.socket"))
        with qtbot.waitSignal(remotes[-1]._hotkeys_changed):
            remotes[-1].start_hotkeys()
        remotes[-1].close()
        assert [banner.notice.message[:23] for banner in opened.window.notices.banners.values()] == [
            "Wayland has no hotkeys "
        ] * (1 - start)
        opened.window.notices.remove("hotkeys")
    monkeypatch.delenv("WAYLAND_DISPLAY")
    with qtbot.waitSignal(remotes[-1]._hotkeys_changed):
        remotes[-1].start_hotkeys()
    remotes[-1].close()
    assert "DISPLAY is not set" in next(iter(opened.window.notices.banners.values())).notice.message


def test_the_window_works_before_the_session_is_there() -> None:
    go = threading.Event()
    real = StandIn()

    def make(controls: Controls) -> StandIn:
        go.wait(5)
        return real

    late = LateSession(Controls(), make)
    late.start()
    late.change(zoom=1.4)
    assert late.controls.zoom == 1.4
    assert late.status().reason == "starting"
    assert (late.seen(), late.shown(), late.portrait()) == (None, None, None)
    go.set()
    late.join()
    assert real.started
    assert late.controls.zoom == real.controls.zoom == 1.4
    late.change(zoom=1.1)
    assert real.controls.zoom == 1.1
    late.stop()
    assert real.stopped


def test_a_session_that_cannot_be_built_is_told(caplog: pytest.LogCaptureFixture) -> None:
    def broken(controls: Controls) -> StandIn:
        raise ImportError("no module named onnxruntime")

    late = LateSession(Controls(), broken)
    late.start()
    late.join()
    status = late.status()
    assert status.reason == "fault"
    assert "onnxruntime" in status.notices[0].message
    assert late.stop() == []


def test_a_session_that_comes_after_the_end_is_not_started() -> None:
    go = threading.Event()
    real = StandIn()

    def make(controls: Controls) -> StandIn:
        go.wait(5)
        return real

    late = LateSession(Controls(), make)
    late.start()
    late.stop()
    go.set()
    late.join()
    assert not real.started


def options(**given: str) -> argparse.Namespace:
    return argparse.Namespace(
        **{"source": None, "avatar": None, "model": None, "device": None, "output": None, **given}
    )


def test_options_replace_what_is_remembered(qtbot: QtBot, tmp_path: Path) -> None:
    library = make_library(tmp_path)
    preferences = Preferences(Settings().having(source="Old Cam", avatar="zola.png", mirror_output=True))
    controls, entry, notice = first_controls(options(source="new.mp4", avatar="MARCO"), preferences, library)
    assert (controls.source, controls.mirror_output, notice) == ("new.mp4", True, None)
    assert entry is not None
    assert controls.avatar == entry.path
    assert entry.path.stem == "marco"
    controls, entry, notice = first_controls(options(), preferences, library)
    assert controls.source == "Old Cam"
    assert controls.avatar is not None
    assert controls.avatar.stem == "zola"
    controls, entry, notice = first_controls(
        options(avatar=str(tmp_path / "app" / "anna.png")), preferences, library
    )
    assert entry == library.find("anna.png")
    assert controls.avatar == tmp_path / "app" / "anna.png"
    controls, entry, notice = first_controls(options(avatar="nobody"), preferences, library)
    assert notice is not None
    assert "nobody" in notice.message
    assert controls.avatar is not None


def test_a_photo_given_once_is_there_next_time_and_is_never_somebody_else(
    qtbot: QtBot, tmp_path: Path
) -> None:
    """A photo with the same file name as one of the gallery."""
    mine = tmp_path / "mine" / "marco.png"
    mine.parent.mkdir()
    PIL.Image.new("RGB", (96, 96)).save(mine)
    library = make_library(tmp_path)
    controls, _, _ = first_controls(options(avatar=str(mine)), Preferences(Settings()), library)
    opened = open_window(qtbot, tmp_path, live=StandIn(controls))
    opened.window.dialogs.open_guide()
    guide = opened.window.findChild(Guide)
    assert isinstance(guide, Guide)
    guide.reject()
    opened.window.refresh()
    assert opened.live.controls.avatar == mine
    controls, _, notice = first_controls(options(), opened.preferences, library)
    assert (controls.avatar, notice) == (mine, None)
    mine.unlink()
    controls, entry, notice = first_controls(options(), opened.preferences, library)
    assert notice is not None
    assert str(mine) in notice.message
    assert entry == library.entries()[0]
    assert controls.avatar == entry.path
    assert first_controls(options(), Preferences(Settings()), library)[1:] == (None, None), (
        "who never had one chooses first"
    )


def test_a_bug_is_logged_with_its_stack_and_told_once(qtbot: QtBot, caplog: pytest.LogCaptureFixture) -> None:
    bugs = BugDialog()
    for _ in range(3):
        try:
            raise ZeroDivisionError("a slider at 0")
        except ZeroDivisionError as error:
            bugs.handle(type(error), error, error.__traceback__)
    boxes = [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, QMessageBox) and widget.objectName() == "bug"
    ]
    assert len(boxes) == 1
    assert "a slider at 0" in boxes[0].informativeText()
    assert caplog.text.count("test_a_bug_is_logged") >= 3
    qtbot.addWidget(boxes[0])


def test_an_error_of_the_app_is_one_that_users_can_act_on() -> None:
    with pytest.raises(AvatarError) as told:
        LateSession(Controls(), lambda _: StandIn()).snapshot(Path("x.png"))
    assert told.value.hint


def test_a_missing_screen_is_said() -> None:
    with pytest.raises(AvatarError, match="no screen") as caught:
        require_screen({}, "linux")
    assert "live" in caught.value.hint
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        require_screen({name: ":0"}, "linux")
    require_screen({}, "win32")


def test_the_first_start_takes_the_way_out_that_works() -> None:
    camera = (Outlet("/dev/video9", "Avatar Camera"),)
    assert first_output(Found(virtual_cameras=camera)) == "virtual-camera"
    assert first_output(Found(virtual_cameras=camera, virtual_problem=Text("no permission"))) == "pipewire"
    assert first_output(Found(virtual_problem=Text("none"), pipewire_problem=Text("not running"))) == "none"


def test_two_starts_in_the_same_moment_leave_one_window(tmp_path: Path) -> None:
    places = {
        name: str(tmp_path)
        for name in (
            "HOME",
            "XDG_CONFIG_HOME",
            "XDG_CACHE_HOME",
            "XDG_DATA_HOME",
            "XDG_STATE_HOME",
            "XDG_RUNTIME_DIR",
        )
    }
    environment = {**os.environ, **places, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "run.py"]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        until = time.monotonic() + 60
        while all(one.poll() is None for one in both) and time.monotonic() < until:
            time.sleep(0.05)
        gone = [one for one in both if one.poll() is not None]
        assert [one.returncode for one in gone] == [0], [one.stderr.read() for one in gone if one.stderr]
        done = subprocess.run(
            [*command, "control", "quit"],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert [one.wait(20) for one in both] == [0, 0]
    finally:
        for one in both:
            one.kill()
            one.communicate()
