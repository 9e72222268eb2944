"""The control socket.

Commands arrive, and no input stops it or affects other clients.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs
import pytest

from avatar_app.control import address as control_address
from avatar_app.control import server as control
from avatar_app.control.server import AlreadyRunning, ControlServer, NotRunning, send_command
from avatar_app.errors import AvatarError
from avatar_app.text import Text

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at socket files")


class App:
    """Replaces the running app and records the commands it receives."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def handle(self, command: str) -> control.Reply:
        self.told.append(command)
        if command == "next":
            raise AvatarError(Text("There is no other avatar."), Text("Add one."))
        if command == "previous":
            raise ZeroDivisionError
        return (
            {"message": "All is well.", "shows": "avatar", "where": Path("x")}
            if command == "status"
            else f"Done: {command}."
        )


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.socket"


@pytest.fixture(params=["socket file", "token"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both transports; the second is that of Windows, and works everywhere."""
    monkeypatch.setattr(control_address, "SOCKET_FILES", request.param == "socket file")


@pytest.fixture
def server(app: App, path: Path) -> Iterator[ControlServer]:
    server = ControlServer(app.handle, path)
    server.start()
    yield server
    server.close()
    assert not any(thread.name == "control" for thread in threading.enumerate())


def connect(path: Path) -> socket.socket:
    """A connection on which nothing has been sent yet."""
    if not control_address.SOCKET_FILES:
        return socket.create_connection(("127.0.0.1", json.loads(path.read_text())["port"]), 5)
    other = socket.socket(socket.AF_UNIX)
    other.connect(str(path))
    other.settimeout(5)
    return other


def talk(path: Path, said: bytes) -> bytes:
    """The answer to these bytes, through a bare socket file."""
    with connect(path) as other:
        other.sendall(said)
        heard = b""
        with suppress(ConnectionResetError):  # unread input resets the connection after the answer
            while piece := other.recv(65536):
                heard += piece
        return heard


@pytest.mark.usefixtures("way", "server")
@pytest.mark.parametrize("command", ["recalibrate", "pause", "resume", "raise", "quit", "avatar Ä b  c"])
def test_commands_arrive(app: App, path: Path, command: str) -> None:
    assert send_command(command, path=path) == {"ok": True, "message": f"Done: {command}."}
    assert app.told == [command]


@pytest.mark.usefixtures("way", "server")
def test_answers_carry_more_than_words(path: Path) -> None:
    assert send_command("status", path=path) == {
        "ok": True,
        "message": "All is well.",
        "shows": "avatar",
        "where": "x",
    }


@pytest.mark.usefixtures("server")
def test_what_the_app_refuses_is_said(path: Path) -> None:
    assert send_command("next", path=path) == {
        "ok": False,
        "message": "There is no other avatar.",
        "hint": "Add one.",
    }


@pytest.mark.usefixtures("server")
def test_a_bug_in_the_app_does_not_end_the_server(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert send_command("previous", path=path)["message"] == "The command previous failed."
    assert "ZeroDivisionError" in caplog.text
    assert send_command("pause", path=path)["ok"]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (b"dance\n", "There is no command 'dance'."),
        (b"\n", "There is no command ''."),
        (b"pause now\n", "The command pause takes nothing more."),
        (b"avatar\n", "The command avatar needs the name of one."),
        (b"avatar \x1b[31m\n", "There is no command 'avatar'."),
        (b"\xff\xfe\n", "The command is not UTF-8."),
        (b"avatar " + b"x" * 1024 + b"\n", "The command is longer than 1 kB."),
        (b"x" * 100_000, "The command is longer than 1 kB."),
    ],
)
def test_nonsense_is_refused(app: App, path: Path, said: bytes, answer: str) -> None:
    assert json.loads(talk(path, said))["message"] == answer
    assert app.told == []


@pytest.mark.usefixtures("server")
def test_garbage_does_no_harm(app: App, path: Path) -> None:
    dice = random.Random(1)
    for _ in range(200):
        heard = talk(path, dice.randbytes(dice.randrange(1, 3000)) + b"\n")
        assert json.loads(heard)["ok"] is False
    assert app.told == []
    assert send_command("pause", path=path)["ok"]


@pytest.mark.usefixtures("way", "server")
def test_half_open_connections_keep_nobody_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 60.0)
    with ExitStack() as silent:
        first, *_ = [silent.enter_context(connect(path)) for _ in range(3 * control.AT_ONCE)]
        assert send_command("pause", path=path)["ok"]
        assert first.recv(1) == b""  # the oldest made room


def test_who_says_nothing_is_hung_up_on(app: App, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "PATIENCE", 0.05)
    server = ControlServer(app.handle, path)
    server.start()
    try:
        assert talk(path, b"pause") == b""
    finally:
        server.close()
    assert app.told == []


@pytest.mark.usefixtures("way", "server")
def test_a_flood_does_not_drown_the_others(path: Path) -> None:
    enough = threading.Event()

    def flood() -> None:
        while not enough.is_set():
            try:
                with connect(path) as other:
                    other.sendall(b"x" * 500)
            except OSError:
                pass  # turned away

    floods = [threading.Thread(target=flood) for _ in range(4)]
    for thread in floods:
        thread.start()
    try:
        assert all(send_command("pause", 20, path)["ok"] for _ in range(5))
    finally:
        enough.set()
        for thread in floods:
            thread.join()


@pytest.mark.usefixtures("server")
def test_who_does_not_wait_for_the_answer_does_no_harm(path: Path) -> None:
    for _ in range(50):
        with connect(path) as other:
            other.sendall(b"status\n")
    assert send_command("pause", path=path)["ok"]


@pytest.mark.usefixtures("server")
def test_another_user_is_not_answered(app: App, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_address, "peer_user", lambda connection: os.getuid() + 1)
    with suppress(BrokenPipeError):
        assert talk(path, b"pause\n") == b""
    with pytest.raises(AvatarError, match="not running"):  # another user's app is ignored too
        send_command("pause", path=path)
    assert app.told == []


@pytest.mark.skipif(
    not hasattr(socket, "SO_PEERCRED") or os.getuid() != 0, reason="only root can become another user"
)
def test_another_user_is_not_answered_for_real(app: App) -> None:
    program = (
        "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); other = "
        "socket.socket(socket.AF_UNIX); "
        "other.settimeout(20); other.connect(sys.argv[1]); print('connected', flush=True); "
        "other.send(b'pause\\n'); print(other.recv(100))"
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run" / "control.socket"
        server = ControlServer(app.handle, path)
        server.start()
        try:
            for opened in (Path(folder), path.parent, path):  # as if the file permissions had been lost
                opened.chmod(0o777)
            done = subprocess.run(
                [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
            )
        finally:
            server.close()
    assert done.stdout in ("connected\n", "connected\nb''\n"), (
        done.stderr
    )  # disconnected before or after it spoke
    assert app.told == []


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not tell")
def test_the_system_tells_the_other_user() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert control_address.peer_user(one) == os.getuid()


@pytest.mark.usefixtures("server")
def test_only_this_user_can_reach_it(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_token_is_needed(app: App, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_address, "SOCKET_FILES", False)
    server = ControlServer(app.handle, path)
    server.start()
    try:
        assert path.stat().st_mode & 0o777 == 0o600
        address = json.loads(path.read_text())
        path.write_text(json.dumps(address | {"token": "guessed"}))
        assert send_command("pause", path=path)["message"] == "The token is wrong."
        path.write_text("{")
        with pytest.raises(AvatarError, match="not running"):
            send_command("pause", path=path)
    finally:
        server.close()
    assert app.told == []


@pytest.mark.usefixtures("way", "server")
def test_a_second_instance_is_told_so(app: App, path: Path) -> None:
    second = ControlServer(app.handle, path)
    with pytest.raises(AlreadyRunning, match="running already"):
        second.start()
    second.close()
    assert send_command("raise", path=path)["ok"]  # the first one still answers


@pytest.mark.usefixtures("way")
def test_the_names_of_running_instances_are_said(app: App, path: Path) -> None:
    servers = [ControlServer(app.handle, path.with_name(f"control-{name}.socket")) for name in ("b", "a")]
    for server in servers:
        server.start()
    path.with_name("control-crashed.socket").write_text("{}")
    with pytest.raises(NotRunning, match="The app is not running") as caught:
        send_command("status", path=path)
    assert caught.value.hint == "Running now: a, b. Say which one: `control --name a`."
    servers[1].close()
    with pytest.raises(NotRunning, match="No instance named a is running") as caught:
        send_command("status", path=path.with_name("control-a.socket"), name="a")
    assert caught.value.hint == "Running now: b. Say which one: `control --name b`."
    usual = ControlServer(app.handle, path.with_name("control.socket"))
    usual.start()
    unnamed = "One without a name is running: leave out --name to control it."
    for hint in (f"Running now: b. Say which one: `control --name b`. {unnamed}", unnamed):
        with pytest.raises(NotRunning, match="No instance named a is running") as caught:
            send_command("status", path=path.with_name("control-a.socket"), name="a")
        assert caught.value.hint == hint
        servers[0].close()
    usual.close()
    assert app.told == []


@pytest.mark.usefixtures("way")
def test_the_address_is_free_again_after_the_end(
    app: App, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        server = ControlServer(app.handle, path)
        server.start()
        assert send_command("pause", path=path)["ok"]
        server.close()
        server.close()
        assert not path.exists()
        with pytest.raises(AvatarError, match="not running") as caught:
            send_command("pause", path=path)
        assert "`python run.py live`" in caught.value.hint
    monkeypatch.setattr("avatar_app.paths.PACKAGE", path.parent / "avatar_app")  # no checkout
    with pytest.raises(AvatarError, match="not running") as caught:
        send_command("pause", path=path)
    assert "`avatar-app live`" in caught.value.hint


def test_what_a_crashed_instance_left_is_replaced(app: App, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from avatar_app.control.server import ControlServer; "
        "ControlServer(str, Path(sys.argv[1])).start(); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(AlreadyRunning):
            ControlServer(app.handle, path).start()
        other.send_signal(signal.SIGKILL)
    assert path.exists()
    with pytest.raises(AvatarError, match="not running"):
        send_command("pause", path=path)
    server = ControlServer(app.handle, path)
    server.start()
    assert send_command("pause", path=path)["ok"]
    server.close()


def test_quit_may_close_the_server_from_within(path: Path) -> None:
    closed = threading.Event()

    def end(command: str) -> str:
        running.close()
        closed.set()
        return "Goodbye."

    running = ControlServer(end, path)
    running.start()
    assert send_command("quit", path=path)["message"] == "Goodbye."
    assert closed.is_set()
    assert not path.exists()


def test_an_app_that_hangs_is_not_waited_for(path: Path) -> None:
    awake = threading.Event()

    def sleep(command: str) -> str:
        awake.wait()
        return ""

    server = ControlServer(sleep, path)
    server.start()
    try:
        with pytest.raises(AvatarError, match="did not answer"):
            send_command("pause", 0.1, path)
    finally:
        awake.set()
        server.close()


@pytest.mark.parametrize("command", ["avatar one\npause", "avatar " + "x" * 600, "avatar \udc80"])
def test_what_is_no_line_is_not_even_sent(path: Path, command: str) -> None:
    with pytest.raises(AvatarError, match="not a single line"):
        send_command(command, path=path)


def _link(folder: Path) -> None:
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("spoil", "says"), [(_link, "not yours alone"), (Path.touch, "cannot be made|not yours alone")]
)
def test_a_folder_that_cannot_be_trusted(
    app: App, path: Path, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(path.parent)
    with pytest.raises(AvatarError, match=says):
        ControlServer(app.handle, path).start()
    with pytest.raises(AvatarError, match="not running"):
        send_command("pause", path=path)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert control.default_path() == tmp_path / "avatar-app" / "control.socket"
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    assert len(os.fsencode(control.default_path())) <= control_address.LONGEST_PATH


def test_without_a_runtime_folder_it_is_in_a_place_that_nobody_else_can_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everybody can create a folder in /tmp, and then only they can remove it."""
    own = control_address.is_own_folder
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(
        control_address, "is_own_folder", lambda folder: "/run/" not in str(folder) and own(folder)
    )
    with TemporaryDirectory() as home:  # a short path: those of sockets are limited
        folder = Path(home) / ".local" / "avatar-app"
        monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: folder)
        assert control.default_path() == folder / "control.socket"
        server = ControlServer(lambda command: command)
        server.start()
        server.close()
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_home_that_cannot_hold_it_leaves_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(control_address, "can_hold", lambda folder: False)
    monkeypatch.setattr(control_address, "is_own_folder", lambda folder: False)
    assert (
        control.default_path() == Path(tempfile.gettempdir()) / f"avatar-app-{os.getuid()}" / "control.socket"
    )
