"""Hotkeys under Wayland, with a fake portal on a private bus."""

from __future__ import annotations

import queue
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avatar_app.doctor import checks as doctor
from avatar_app.hotkeys import portal
from avatar_app.hotkeys.combination import parse
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, by_portal, desktop_limit, way
from avatar_app.hotkeys.portal import PortalKeys
from avatar_app.text import Text

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("dbus-daemon"), reason="needs Linux and dbus-daemon"
)
pytest.importorskip("jeepney")

from tests.hotkeys.fake_portal import FakePortal  # noqa: E402

CONFIGURATION = """<busconfig>
  <type>session</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bus without a portal."""
    folder = tmp_path_factory.mktemp("bus")
    (folder / "bus.conf").write_text(CONFIGURATION.format(folder / "socket"), "utf-8")
    words = ("dbus-daemon", f"--config-file={folder / 'bus.conf'}", "--nofork", "--print-address=1")
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
        daemon.terminate()


@pytest.fixture
def wayland(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A session under Wayland on this bus."""
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.delenv("DISPLAY", raising=False)
    portal._has_portal.cache_clear()
    yield address
    portal._has_portal.cache_clear()


Desktop = Callable[..., FakePortal]


@pytest.fixture
def desktop(wayland: str) -> Iterator[Desktop]:
    """Starts a portal."""
    made: list[FakePortal] = []

    def start(**options: object) -> FakePortal:
        made.append(FakePortal(wayland, **options))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_the_desktop_is_asked_and_tells(desktop: Desktop) -> None:
    fake = desktop()
    pressed: queue.Queue[str] = queue.Queue()
    bindings = {**DEFAULT_HOTKEYS, "avatar-3": "Shift+Meta+F5"}
    keys = Hotkeys(bindings, pressed.put, lambda action: f"Do {action}")
    assert keys.start() == []
    bound = fake.bound.get(timeout=20)
    assert {name: wishes["preferred_trigger"][1] for name, wishes in bound.items()} == {
        "recalibrate": "CTRL+ALT+x",
        "pause": "CTRL+ALT+p",
        "next": "CTRL+ALT+Next",
        "previous": "CTRL+ALT+Prior",
        "avatar-3": "SHIFT+LOGO+F5",
    }
    assert bound["avatar-3"]["description"][1] == "Do avatar-3"
    assert set(fake.apps) == {"avatar-app"}
    for action in ("pause", "avatar-3"):
        fake.press(action)
        assert pressed.get(timeout=20) == action
        fake.release(action)
    keys.close()


def test_a_key_that_is_held_counts_once(desktop: Desktop) -> None:
    fake = desktop()
    pressed: queue.Queue[str] = queue.Queue()
    keys = Hotkeys(DEFAULT_HOTKEYS, pressed.put)
    keys.start()
    for action in ("pause", "pause", "pause", "next"):
        fake.press(action)
    fake.release("pause")
    fake.press("pause")
    assert [pressed.get(timeout=20) for _ in range(3)] == ["pause", "next", "pause"]
    keys.close()


def test_what_is_not_ours_is_left_alone(desktop: Desktop) -> None:
    fake = desktop()
    pressed: queue.Queue[str] = queue.Queue()
    keys = Hotkeys(DEFAULT_HOTKEYS, pressed.put)
    keys.start()
    fake.press("pause", session=f"{portal.PLACE}/session/1_1/other")
    fake.press("unknown")
    fake.press("next")
    assert pressed.get(timeout=20) == "next"
    keys.close()


def test_closing_gives_them_back(desktop: Desktop) -> None:
    """The portal ends a session together with its connection."""
    fake = desktop()
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    keys.start()
    fake.bound.get(timeout=20)
    while not fake.gone.empty():  # the connection that checked for a portal
        fake.gone.get()
    keys.close()
    client = fake.sessions[-1].split("/")[-2].replace("_", ".")
    names = [fake.gone.get(timeout=20)]
    while names[-1] != f":{client}":
        names.append(fake.gone.get(timeout=20))


class Listening:
    """Hotkeys, what is pressed, and what does not work at first and after each change."""

    def __init__(self) -> None:
        self.pressed: queue.Queue[str] = queue.Queue()
        self.found: queue.Queue[list[Text]] = queue.Queue()
        self.keys = Hotkeys(DEFAULT_HOTKEYS, self.pressed.put, str, self._changed)
        self.at_first = self.keys.start()

    def _changed(self) -> None:
        self.found.put(self.keys.problems)

    def problem(self) -> Text:
        """The only one, as soon as there is one."""
        while not (problems := self.found.get(timeout=20)):
            pass
        (problem,) = problems
        return problem

    def works(self, portal: FakePortal, *actions: str) -> None:
        """These keys arrive, and nothing else is reported. Call it after the portal's answer."""
        for action in actions:
            portal.press(action)
            assert self.pressed.get(timeout=20) == action
            portal.release(action)
        assert not any(self.found.get() for _ in range(self.found.qsize()))


Listen = Callable[[], Listening]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Start hotkeys."""
    made: list[Listening] = []

    def start() -> Listening:
        made.append(Listening())
        return made[-1]

    yield start
    for one in made:
        one.keys.close()


def test_a_user_who_says_no_is_told_and_ends_the_listening(desktop: Desktop, listen: Listen) -> None:
    desktop(answer=1)
    assert by_portal()
    listening = listen()
    assert "no hotkeys: they were declined." in listening.problem()
    backend = listening.keys._backend
    assert isinstance(backend, PortalKeys)
    backend._thread.join(20)
    assert not backend._thread.is_alive()


def test_keys_that_are_not_granted_are_told_together_until_they_are(desktop: Desktop, listen: Listen) -> None:
    before = desktop(without=("pause", "recalibrate"))
    listening = listen()
    assert listening.problem() == (
        "Shortcuts not available (not granted by the desktop): Ctrl+Alt+X (recalibrate), Ctrl+Alt+P (pause). "
        "Choose others in the settings."
    )
    before.bound.get(timeout=20)
    listening.works(before, "next", "previous")
    assert listening.keys.problems != []
    before.close()
    after = desktop()
    after.bound.get(timeout=20)
    listening.works(after, *DEFAULT_HOTKEYS)
    assert listening.keys.problems == []


def test_a_portal_that_restarts_is_asked_again(desktop: Desktop, listen: Listen) -> None:
    before = desktop()
    listening = listen()
    assert listening.at_first == []
    before.bound.get(timeout=20)
    listening.works(before, *DEFAULT_HOTKEYS)
    before.close()
    after = desktop()
    assert set(after.bound.get(timeout=20)) == set(DEFAULT_HOTKEYS)
    listening.works(after, *DEFAULT_HOTKEYS)
    assert listening.keys.problems == []


def test_a_session_that_the_desktop_ends_is_told(desktop: Desktop, listen: Listen) -> None:
    fake = desktop()
    listening = listen()
    assert listening.at_first == []
    fake.bound.get(timeout=20)
    fake.end_session()
    assert "it has ended them" in listening.problem()


def test_keys_that_never_began_leave_nothing_open() -> None:
    keys = PortalKeys({parse("Ctrl+Alt+P"): "pause"}, print)
    keys.close()
    assert keys._bell.fileno() == keys._ringer.fileno() == -1


@pytest.mark.usefixtures("wayland")
def test_without_a_portal_it_is_as_before() -> None:
    assert not by_portal()
    assert "Wayland has no hotkeys" in desktop_limit()
    keys = Hotkeys(DEFAULT_HOTKEYS, print)
    (problem,) = keys.start()
    keys.close()
    assert problem == desktop_limit()


def test_a_portal_that_refuses_is_none(desktop: Desktop) -> None:
    desktop(refuses={"CreateSession": "An app id is required"})
    assert not by_portal()
    assert desktop_limit()


def test_an_older_portal_has_no_registry(desktop: Desktop) -> None:
    desktop(refuses={"Register": "No such interface"})
    assert by_portal()


def test_without_a_bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert not by_portal()


def test_under_x11_nobody_asks_the_portal(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = desktop()
    monkeypatch.delenv("WAYLAND_DISPLAY")
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    assert not by_portal()
    assert fake.sessions == []
    assert way() == "X11"


def test_the_doctor_says_so_and_binds_nothing(desktop: Desktop, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = desktop()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nowhere")
    check = doctor.check_hotkeys()
    assert check.state == "ok"
    assert "portal" in check.found
    assert fake.bound.empty()
