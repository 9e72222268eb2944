"""Return commands that install a system package on Linux, for hints and the setup."""

from __future__ import annotations

import platform


def install_command(debian: str, fedora: str, arch: str) -> str:
    """Return the command for this distribution; all three for an unknown one."""
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


def root_install(debian: str, fedora: str, arch: str) -> str:
    """Return the command for an administrator's script, which asks no questions.

    Empty on another distribution.
    """
    commands = {
        "debian": f"apt-get install -y {debian}",
        "fedora": f"dnf install -y {fedora}",
        "arch": f"pacman -S --noconfirm {arch}",
    }
    return next((commands[family] for family in _families() if family in commands), "")


def _families() -> list[str]:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return []
    return [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
