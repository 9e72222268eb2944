"""A Linux desktop session for one test.

Its folders, D-Bus, display and PipeWire are separate from those of the developer who runs the test.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAMS = (
    "dbus-daemon",
    "dbus-send",
    "Xvfb",
    "pipewire",
    "wireplumber",
    "pw-dump",
    "gst-launch-1.0",
    "gst-inspect-1.0",
)
PORTALS = ("xdg-desktop-portal", "xdg-desktop-portal-gtk")
PLACES = ("/usr/libexec", "/usr/lib", "/usr/lib/xdg-desktop-portal")
ROOT = Path(__file__).resolve().parents[2]
PERMISSIONS = "org.freedesktop.impl.portal.PermissionStore"
PATIENCE = 40.0
ENDING = 10.0
"""Seconds that a program has to exit by itself."""

FOREIGN = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "WAYLAND_SOCKET",
    "DBUS_",
    "PIPEWIRE_",
    "XDG_",
    "PULSE_",
    "AT_SPI_",
    "SESSION_MANAGER",
)

QUIET = {
    "main.lua.d/60-test.lua": "for _, each in pairs { alsa_monitor or {}, v4l2_monitor or {}, "
    "libcamera_monitor or {} } do "
    "each.enabled = false end",
    "bluetooth.lua.d/60-test.lua": "bluez_monitor.enabled = false",
    "wireplumber.conf.d/60-test.conf": "wireplumber.profiles = { main = { hardware.audio = disabled, "
    "hardware.bluetooth = disabled, "
    "hardware.video-capture = disabled } }",
}
"""Settings for WirePlumber 0.4 and 0.5 that leave this machine's own cameras and microphones alone."""


def missing_programs() -> list[str]:
    """What a session needs and this system lacks."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    missing += [portal for portal in PORTALS if not any((Path(place) / portal).exists() for place in PLACES)]
    if (
        not missing
        and subprocess.run(["gst-inspect-1.0", "pipewiresink"], capture_output=True, check=False).returncode
    ):
        missing.append("pipewiresink")
    return missing


class Desktop:
    """A context manager.

    Programs in it may use cameras without asking.

    Attributes: folder: for everything, private; deleted with the session. Its path is short, because a
    socket's may have at most 107 characters. environment: of all programs in it; it also identifies
    processes that others started. left: how many programs had to be killed at the end.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="call-"))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        for name in ("RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "DATA_HOME", "CACHE_HOME"):
            self.environment[f"XDG_{name}"] = str(self.folder)
        self.environment |= {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "XDG_CURRENT_DESKTOP": "GNOME",
        }
        self.environment |= {"NO_AT_BRIDGE": "1", "GSETTINGS_BACKEND": "memory"}  # not needed for calls
        self.left = 0
        self._programs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        try:
            self._start_session()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, *command: str, keep: tuple[int, ...] = ()) -> subprocess.Popen[bytes]:
        """Start a program in the project's folder.

        Its output goes to ``log`` under its name. Files of ``keep`` stay open for it.
        """
        with self.log(command[0]).open("ab") as log:
            program = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=keep,
                process_group=0,
            )
        self._programs.append(program)
        return program

    def log(self, program: str) -> Path:
        return self.folder / f"{Path(program).name}.log"

    def wait_for(self, happens: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Poll while all programs run."""
        until = time.monotonic() + seconds
        while not happens():
            for program in self._programs:
                assert program.poll() is None, f"{program.args!r} has ended. {self._said()}"
            assert time.monotonic() < until, f"waited in vain for {what}. {self._said()}"
            time.sleep(0.05)  # between two attempts, not instead of one

    def stop(self, program: subprocess.Popen[bytes]) -> None:
        program.terminate()
        try:
            program.wait(ENDING)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        self._programs.remove(program)

    def close(self) -> None:
        """End all programs, the newest first, including those started by others.

        Then nothing is left on disk either.
        """
        for program in reversed(self._programs[:]):
            self.stop(program)
        until = time.monotonic() + ENDING
        while (running := self._running()) and time.monotonic() < until:
            time.sleep(0.05)  # the portals exit after D-Bus
        self.left += len(running)
        until = time.monotonic() + ENDING
        while (running := self._running()) and time.monotonic() < until:
            for process in running:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        for mounted in filter(os.path.ismount, self.folder.glob("*")):
            subprocess.run(["fusermount3", "-uz", str(mounted)], capture_output=True, check=False)
        shutil.rmtree(self.folder)

    def _said(self) -> str:
        """The last output of all programs."""
        return "\n".join(
            f"{log.name}: {log.read_text(errors='replace')[-2000:]}" for log in self.folder.glob("*.log")
        )

    def _running(self) -> list[int]:
        """All processes except zombies with this session's folder in their environment, other than the test's
        own."""
        mark = f"XDG_RUNTIME_DIR={self.folder}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                with suppress(OSError):  # another user's, or gone
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found

    def _start_session(self) -> None:
        for name, text in QUIET.items():
            settings = self.folder / "wireplumber" / name
            settings.parent.mkdir(parents=True, exist_ok=True)
            settings.write_text(text + "\n")
        self.environment["DISPLAY"] = self._start_display()  # D-Bus passes its environment on to the portals
        bus = f"unix:path={self.folder}/bus"
        self.start("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}")
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = bus
        self.wait_for((self.folder / "bus").exists, "D-Bus")
        self.start("pipewire")
        self.wait_for((self.folder / "pipewire-0").exists, "PipeWire")
        self.start("wireplumber")
        self.wait_for(lambda: b"WirePlumber" in self._ask("pw-dump"), "WirePlumber")
        # Without this the portal would ask the user whether the browser may use cameras.
        words = ["string:devices", "boolean:true", "string:camera", "string:", "array:string:yes"]
        path = "/" + PERMISSIONS.replace(".", "/")
        self._ask(
            "dbus-send",
            "--session",
            "--print-reply",
            f"--dest={PERMISSIONS}",
            path,
            f"{PERMISSIONS}.SetPermission",
            *words,
        )

    def _start_display(self) -> str:
        """The GTK portals exit at once without a display."""
        path = self.folder / "display"
        with path.open("wb") as number:
            words = ("-displayfd", str(number.fileno()), "-screen", "0", "640x480x24", "-nolisten", "tcp")
            self.start("Xvfb", *words, keep=(number.fileno(),))
        self.wait_for(lambda: path.read_text().endswith("\n"), "a display")
        return f":{path.read_text().strip()}"

    def _ask(self, *command: str) -> bytes:
        """The output of a program that exits by itself."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, timeout=PATIENCE, check=False
        ).stdout
