"""What the wheel would hold."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from avatar_app import paths

ROOT = Path(__file__).parents[1]


def test_every_package_is_listed() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {
        ".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "avatar_app").rglob("__init__.py")
    }
    assert listed == found | {"avatar_app.bundled.assets", "avatar_app.bundled.models"}


def packages(path: Path) -> dict[str, str]:
    """Name -> version, of the lines of a requirements file that pin one."""
    lines = (line.partition(";")[0].strip(" \\") for line in path.read_text(encoding="utf-8").splitlines())
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.lower().replace("_", "-"): version for name, version in pins}


def test_the_lock_has_what_is_asked_for_and_a_hash_for_all() -> None:
    lock = ROOT / "requirements.lock"
    locked = packages(lock)
    asked = packages(ROOT / "requirements.txt")
    assert {name: locked.get(name) for name in asked} == asked
    blocks = lock.read_text(encoding="utf-8").split("\n# end of header\n")[-1]
    for block in blocks.replace("\\\n", " ").splitlines():
        assert "==" in block and "--hash=sha256:" in block, block


def test_models_and_assets_hold_no_code() -> None:
    assert not [*(ROOT / "models").rglob("*.py"), *(ROOT / "assets").rglob("*.py")]


def test_folders_of_a_checkout_and_of_an_installation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert paths.assets_folder() == ROOT / "assets"
    assert paths.model_folders()[0] == ROOT / "models"
    monkeypatch.setattr(paths, "PACKAGE", tmp_path / "site-packages" / "avatar_app")
    assert paths.assets_folder() == tmp_path / "site-packages" / "avatar_app" / "bundled" / "assets"
    assert paths.model_folders() == (
        tmp_path / "site-packages" / "avatar_app" / "bundled" / "models",
        paths.user_models(),
    )
