"""The command that installs a system package, for hints on Linux."""

from __future__ import annotations

import platform


def install_command(debian: str, fedora: str, arch: str) -> str:
    """The command for this distribution with the packages' names there; all three where it is another one."""
    commands = {
        "debian": f"sudo apt install {debian}",
        "fedora": f"sudo dnf install {fedora}",
        "arch": f"sudo pacman -S {arch}",
    }
    for family in _families():
        if family in commands:
            return f"`{commands[family]}`"
    named = {"Debian, Ubuntu": "debian", "Fedora": "fedora", "Arch": "arch"}
    return ", ".join(f"`{commands[family]}` ({name})" for name, family in named.items())


def _families() -> list[str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    return [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
