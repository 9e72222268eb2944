"""Start the app when the user logs in, by each system's own means."""

from __future__ import annotations

import plistlib
import shlex
import sys
from contextlib import suppress
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.files import reason, write_whole
from avatar_app.paths import PACKAGE, icons_folder
from avatar_app.text import Text

NAME = "avatar-app"
RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"


def command() -> list[str]:
    """Return the command that starts this very app."""
    script = PACKAGE.parent / "run.py"
    return [sys.executable, str(script)] if script.is_file() else [sys.executable, "-m", "avatar_app"]


def desktop_entry(words: list[str]) -> str:
    """Return the desktop file with another command to start the app.

    Raises OSError if the app's own file cannot be read.
    """
    lines = (icons_folder() / f"{NAME}.desktop").read_text("utf-8").splitlines()
    return "".join(
        f"Exec={shlex.join(words)}\n" if line.startswith("Exec=") else f"{line}\n" for line in lines
    )


def set_autostart(on: bool, system: str = sys.platform, home: Path | None = None) -> None:
    """Start the app at each login, or not. Raises OutputError.

    Args:
        home: the user's folder; None: the real one.
    """
    home = home or Path.home()
    try:
        if system == "win32":
            _set_windows(on)
        elif system == "darwin":
            about = {"Label": NAME, "ProgramArguments": command(), "RunAtLoad": True}
            _set_file(home / "Library/LaunchAgents/avatar-app.plist", plistlib.dumps(about) if on else None)
        else:
            content = desktop_entry(command()).encode("utf-8") if on else None
            _set_file(home / ".config/autostart/avatar-app.desktop", content)
    except OSError as problem:
        raise OutputError(
            Text("Starting at log-in cannot be changed: {}.", reason(problem)),
            Text("Check the folder's permissions."),
        ) from None


def _set_file(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)


def _set_windows(on: bool) -> None:
    if sys.platform == "win32":
        import subprocess
        import winreg

        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, RUN, 0, winreg.KEY_SET_VALUE) as key:
            if on:
                winreg.SetValueEx(key, NAME, 0, winreg.REG_SZ, subprocess.list2cmdline(command()))
            else:
                with suppress(FileNotFoundError):
                    winreg.DeleteValue(key, NAME)
