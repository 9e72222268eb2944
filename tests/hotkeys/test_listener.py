"""Global hotkeys, on a real X server if there is one, with another program's window in front."""

from __future__ import annotations

import os
import queue
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from avatar_app.errors import ConfigError
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, desktop_limit, parse
from tests.hotkeys.cases import outlive_a_fault

needs_display = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("Xvfb", "xdotool", "openbox", "xterm", "setxkbmap")),
    reason="needs Xvfb, xdotool, openbox, xterm and setxkbmap",
)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("Ctrl+Alt+X", "Ctrl+Alt+X"),
        ("alt + ctrl + right", "Ctrl+Alt+Right"),
        ("Shift+Win+1", "Shift+Meta+1"),
        ("Control+PageUp", "Ctrl+PgUp"),
        ("F9", "F9"),
        ("Shift+F20", "Shift+F20"),
        ("Ctrl+F", "Ctrl+F"),
    ],
)
def test_combinations_are_read(text: str, means: str) -> None:
    assert str(parse(text)) == means
    assert parse(means) == parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no key that is known as ''"),
        ("Ctrl+Alt+", "known as ''"),
        ("Ctrl+Alt+Ж", "known as 'Ж'"),
        ("Ctrl+F21", "known as 'F21'"),
        ("Ctrl+Alt", "and then one key"),
        ("X+Ctrl", "and then one key"),
        ("Ctrl+X+Y", "and then one key"),
        ("Ctrl+Ctrl+X", "and then one key"),
        ("X", "ordinary typing"),
        ("Shift+F", "ordinary typing"),
        ("Shift+Left", "ordinary typing"),
    ],
)
def test_other_combinations_are_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        parse(text)
    assert "Ctrl+Alt+X" in caught.value.hint or "Add Ctrl" in caught.value.hint


class Desk:
    """A display with a window manager and the window of another program in front, as in a call."""

    def __init__(self, display: str, typed: int) -> None:
        self.display = display
        self._typed = typed

    def do(self, *words: str) -> str:
        done = subprocess.run(
            words,
            env={**os.environ, "DISPLAY": self.display},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return done.stdout.strip()

    def press(self, keys: str) -> None:
        self.do("xdotool", "key", keys)

    def in_front(self) -> str:
        return self.do("xdotool", "getactivewindow", "getwindowname")

    def bring(self, title: str) -> None:
        """Wait for a window and give it the focus.

        A window manager that has just started may refuse that at first.
        """
        for attempt in range(50):
            try:
                self.do(
                    "xdotool",
                    "search",
                    "--sync",
                    "--onlyvisible",
                    "--name",
                    f"^{title}$",
                    "windowactivate",
                    "--sync",
                )
                if self.in_front() == title:
                    return
            except subprocess.CalledProcessError:
                if attempt == 49:
                    raise

    def typed(self) -> str:
        """The text typed into the program in front, up to the end of the line."""
        text = b""
        while not text.endswith(b"\n"):
            assert select.select([self._typed], [], [], 20)[0], f"nothing more after {text!r}"
            text += os.read(self._typed, 100)
        return text.decode().strip()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    pipe = tmp_path_factory.mktemp("desk") / "typed"
    os.mkfifo(pipe)
    typed = os.open(pipe, os.O_RDWR)
    with start_display() as (server, display):
        environment = {**os.environ, "DISPLAY": display}
        call = f"xterm -T call -e sh -c 'while read line; do echo $line > {pipe}; done'"
        with subprocess.Popen(
            ["openbox", "--startup", call], env=environment, stderr=subprocess.DEVNULL
        ) as manager:
            desk = Desk(display, typed)
            desk.bring("call")
            yield desk
            manager.terminate()
        server.terminate()
    os.close(typed)


class start_display:  # called like a function
    """An X server on a free display."""

    def __enter__(self) -> tuple[subprocess.Popen[bytes], str]:
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-nolisten", "tcp"],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as answer:
            return self._server, f":{answer.readline().strip()}"

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait(20)


@pytest.fixture
def pressed() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def keys(desk: Desk, pressed: queue.Queue[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Hotkeys]:
    on_display(monkeypatch, desk.display)
    keys = Hotkeys(DEFAULT_HOTKEYS, pressed.put)
    assert keys.start() == []
    yield keys
    keys.close()
    assert not any(thread.name == "hotkeys" for thread in threading.enumerate())


def on_display(monkeypatch: pytest.MonkeyPatch, display: str) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)


@needs_display
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("lock", ["", "Caps_Lock", "Num_Lock"])
def test_they_work_while_another_window_has_the_focus(
    desk: Desk, pressed: queue.Queue[str], lock: str
) -> None:
    assert desk.in_front() == "call"
    if lock:
        desk.press(lock)
    for action, key in {"recalibrate": "x", "pause": "p", "next": "Next", "previous": "Prior"}.items():
        desk.press(f"ctrl+alt+{key}")
        assert pressed.get(timeout=20) == action
    if lock:
        desk.press(lock)
    assert pressed.empty()
    assert desk.in_front() == "call"


@needs_display
@pytest.mark.usefixtures("keys")
def test_nothing_else_is_seen_and_all_else_arrives(desk: Desk, pressed: queue.Queue[str]) -> None:
    desk.do("xdotool", "type", "xp and more")
    desk.press("Right")
    desk.press("ctrl+alt+shift+x")
    desk.press("Return")
    assert "xp and more" in desk.typed()
    desk.press("ctrl+alt+p")
    assert pressed.get(timeout=20) == "pause"  # no events before it
    desk.do("xdotool", "type", "clean\n")
    assert desk.typed() == "clean"  # and the hotkey did not go to the window


@needs_display
@pytest.mark.usefixtures("keys")
def test_a_key_taken_by_another_program(desk: Desk, pressed: queue.Queue[str]) -> None:
    wanted = {"recalibrate": "Ctrl+Alt+X", "next": "Ctrl+Alt+Right", "pause": "Ctrl+Alt+O"}
    second = Hotkeys(wanted, lambda action: pressed.put(f"second {action}"))
    (problem,) = second.start()
    # The window manager changes desktops with the second.
    assert "(taken by another program): Ctrl+Alt+X (recalibrate), Ctrl+Alt+Right (next)." in problem
    desk.press("ctrl+alt+x")
    assert pressed.get(timeout=20) == "recalibrate"
    desk.press("ctrl+alt+o")
    assert pressed.get(timeout=20) == "second pause"
    second.close()


@needs_display
def test_they_are_given_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    on_display(monkeypatch, desk.display)
    for _ in range(3):
        keys = Hotkeys(DEFAULT_HOTKEYS, print)
        assert keys.start() == []
        keys.close()
        keys.close()


@needs_display
@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("layout", ["dvorak", "ru", "us,ru"])
def test_another_keyboard_layout(desk: Desk, pressed: queue.Queue[str], layout: str) -> None:
    by_place = "53" if layout == "ru" else "x"  # where X is on a keyboard without Latin letters
    desk.do("setxkbmap", *(["us", "dvorak"] if layout == "dvorak" else [layout]))
    try:
        for _ in range(20):
            desk.press(f"ctrl+alt+{by_place}")
            try:
                assert pressed.get(timeout=1) == "recalibrate"
                break
            except queue.Empty:
                continue  # the notification about the layout has not arrived yet
        else:
            pytest.fail("the hotkey did not move with the layout")
    finally:
        desk.do("setxkbmap", "us")


@needs_display
def test_a_fault_in_the_app_does_not_end_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_display(monkeypatch, desk.display)
    outlive_a_fault(lambda: desk.press("ctrl+alt+p"), caplog)


@needs_display
def test_close_from_within(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    on_display(monkeypatch, desk.display)
    done = threading.Event()

    def end(action: str) -> None:
        running.close()
        done.set()

    running = Hotkeys({"pause": "Ctrl+Alt+P"}, end)
    assert running.start() == []
    desk.press("ctrl+alt+p")
    assert done.wait(20)


@needs_display
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)  # python-xlib's own
def test_a_display_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    with start_display() as (server, display):
        on_display(monkeypatch, display)
        keys = Hotkeys(DEFAULT_HOTKEYS, print)
        assert keys.start() == []
        thread = next(thread for thread in threading.enumerate() if thread.name == "hotkeys")
        server.kill()
        thread.join(20)
        assert not thread.is_alive()
    keys.close()
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert f"display {display} cannot be opened" in problem


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
@pytest.mark.parametrize(("wayland", "says"), [("wayland-0", "Wayland"), ("", "DISPLAY is not set")])
def test_no_display(monkeypatch: pytest.MonkeyPatch, wayland: str, says: str) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", wayland)
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert says in problem
    assert "python run.py control" in problem
    assert desktop_limit() == (problem if wayland else "")


@needs_display
def test_x11_inside_wayland(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    on_display(monkeypatch, desk.display)
    monkeypatch.setenv("XDG_SESSION_TYPE", "wayland")
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert "only while an X11 window has the focus" in problem
    assert desktop_limit() == problem


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    on_display(monkeypatch, ":12345")
    monkeypatch.setitem(sys.modules, "Xlib.display", None)
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert "pip install python-xlib" in problem


@pytest.mark.skipif(sys.platform != "linux", reason="Linux only")
def test_wrong_bindings_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    keys = Hotkeys(
        {"pause": "Ctrl+Alt+P", "next": "Ctrl+Banana", "previous": "alt+ctrl+p", "recalibrate": ""}, print
    )
    wrong, twice, _no_display = keys.start()
    keys.close()
    assert "'Banana'" in wrong
    assert "Ctrl+Alt+P is given to both pause and previous" in twice


def test_nothing_wanted_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    keys = Hotkeys({"pause": ""}, print)
    assert keys.start() == []
    keys.close()
