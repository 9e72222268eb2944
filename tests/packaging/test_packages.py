"""Content and requirements of the wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from configparser import ConfigParser
from datetime import date
from pathlib import Path

import pytest

from avatar_app import __version__, paths

ROOT = Path(__file__).parents[2]


def test_every_package_is_listed() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = {
        ".".join(file.parent.relative_to(ROOT).parts) for file in (ROOT / "avatar_app").rglob("__init__.py")
    }
    assert listed == found | {"avatar_app.bundled.assets", "avatar_app.bundled.models"}


def packages(path: Path) -> dict[str, str]:
    """Name -> version, of all pins in a requirements file."""
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


def pins(text: str) -> dict[str, str]:
    """Name -> version and system markers, of all lines of a requirements list."""
    lines = (line.strip() for line in text.splitlines())
    found = (re.fullmatch(r"([\w-]+)(?:\[\w+\])?((?:==|>=).+)", line) for line in lines)
    return {one[1].lower(): one[2] for one in found if one}


def test_what_a_call_needs_has_the_pins_of_the_whole_list() -> None:
    """Only training's requirements are left out, and the larger half of Qt, which nothing uses."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    whole = pins((ROOT / "requirements.txt").read_text())
    whole["pyside6-essentials"] = whole.pop("pyside6")
    light = pins(config["options"]["install_requires"])
    assert len(light) == len(config["options"]["install_requires"].split("\n")) - 1  # each line is read
    assert {name: whole.get(name) for name in light} == light
    assert whole.keys() - light.keys() == {"torch", "onnx", "scipy", "face-alignment"}


def test_the_extras_have_the_pins_of_the_other_lists() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    known = pins((ROOT / "requirements.txt").read_text()) | pins((ROOT / "requirements-dev.txt").read_text())
    extras = config["options.extras_require"]
    assert {"train", "judge", "cuda", "gpu", "serve", "cluster", "all"} <= set(extras)
    for extra, text in extras.items():
        for name, version in pins(text).items():
            assert version == known.get(name, version) or extra == "gpu", (extra, name)
    assert "onnxruntime>=1.25" in extras["gpu"]
    for extra in set(extras) - {"all"}:
        assert re.search(rf"\b{extra}\b", extras["all"]), extra


def test_every_place_names_the_same_version() -> None:
    assert re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)[1] == __version__  # type: ignore[index]
    sections = re.findall(
        r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert sections[0] == ("Unreleased", "")
    assert sections[1][0] == __version__ and date.fromisoformat(sections[1][1])


@pytest.mark.skipif(sys.platform == "win32", reason="the workflow's step runs on Linux")
def test_a_release_has_the_notes_of_its_version_alone() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    (command,) = re.findall(r"awk .+ CHANGELOG\.md", workflow)
    notes = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "GITHUB_REF_NAME": f"v{__version__}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert notes.strip() == re.split(r"^## .*$", changelog, flags=re.MULTILINE)[2].strip()


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
