"""The wheel and the source package are built, checked by twine, and installed into a fresh environment.

The installation takes minutes and a gigabyte: it needs ``AVATAR_INSTALL=1`` and the package index.
"""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import tarfile
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_app import __version__

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
PROBE = "platformdirs==4.14.7"
"""A small package that the index has if it can be reached at all."""


def call(*words: str | Path, timeout: float = 900, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source package, built from a copy of the checkout."""
    for tool in ("build", "twine"):
        pytest.importorskip(tool)
    source, made = tmp_path_factory.mktemp("source") / "app", tmp_path_factory.mktemp("dist")
    left_out = shutil.ignore_patterns(".*", "build", "dist", "runs", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=left_out)
    done = call(sys.executable, "-m", "build", "--no-isolation", "--outdir", made, source)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return made


def test_the_index_would_take_both(release: Path) -> None:
    files = sorted(release.iterdir())
    assert [file.name for file in files] == [
        f"avatar_app-{__version__}-py3-none-any.whl",
        f"avatar_app-{__version__}.tar.gz",
    ]
    done = call(sys.executable, "-m", "twine", "check", "--strict", *files)
    assert done.returncode == 0, done.stdout


def test_the_source_package_holds_what_the_wheel_is_made_of(release: Path) -> None:
    with tarfile.open(next(release.glob("*.tar.gz"))) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    wanted = {"setup.cfg", "requirements.txt", "CHANGELOG.md", "LICENSE", "avatar_app/py.typed"}
    assert wanted <= names
    assert not any(name.startswith(("tests", "runs", ".venv")) for name in names)


def test_a_plain_installation_asks_for_no_pytorch(release: Path) -> None:
    with zipfile.ZipFile(next(release.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        described = email.message_from_bytes(wheel.read(next(n for n in names if n.endswith("/METADATA"))))
    required = described.get_all("Requires-Dist") or []
    plain = [line for line in required if "extra ==" not in line]
    assert any(line.startswith("onnxruntime==") for line in plain)
    assert not [line for line in plain if line.startswith(("torch", "onnx=", "face-alignment", "PySide6="))]
    for part in ("assets/driving.mp4", "models/lite/render.onnx", "models/faces/landmarks.onnx"):
        assert f"avatar_app/bundled/{part}" in names


@pytest.fixture(scope="module")
def installed(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The bin folder of an environment with only the wheel and its requirements."""
    if not os.environ.get("AVATAR_INSTALL"):
        pytest.skip("AVATAR_INSTALL is not set")
    folder = tmp_path_factory.mktemp("environment")
    probe = [sys.executable, "-m", "pip", "download", "--no-deps", "--retries", "0", "--dest"]
    if call(*probe, folder / "probe", PROBE, timeout=60).returncode:
        pytest.skip("the package index cannot be reached")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    done = call(programs / "python", "-m", "pip", "install", "--quiet", next(release.glob("*.whl")))
    assert done.returncode == 0, done.stderr[-2000:]
    yield programs
    shutil.rmtree(folder)  # most of a gigabyte


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, str]:
    """The environment variables of a new user without a screen."""
    own = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    system = {"LOCALAPPDATA": str(tmp_path), "APPDATA": str(tmp_path)}
    dropped = ("PYTHON", "XDG_", "DISPLAY", "WAYLAND")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)} | own | system


def test_the_installed_app_makes_the_demo(installed: Path, alone: dict[str, str], tmp_path: Path) -> None:
    code = "import importlib.util as found; print([n for n in ('torch', 'onnx') if found.find_spec(n)])"
    assert call(installed / "python", "-c", code, cwd=tmp_path).stdout.strip() == "[]"
    done = call(installed / "avatar-app", "demo", cwd=tmp_path, env=alone)
    assert done.returncode == 0 and (tmp_path / "demo.mp4").stat().st_size > 100_000, done.stderr


def test_the_installed_app_checks_the_computer(
    installed: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    done = call(installed / "avatar-app", "doctor", cwd=tmp_path, env=alone)
    assert done.returncode in (0, 1), done.stderr  # a computer without a camera cannot make a call
    said = " ".join(done.stdout.split())  # without line breaks
    assert "PyTorch is not installed" in said and "fps with lite" in said
    assert "could not be checked" not in said


def test_the_installed_app_opens_its_window(installed: Path, alone: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [installed / "avatar-app"], cwd=tmp_path, env=alone, stderr=subprocess.PIPE, text=True
    ) as app:
        try:
            until = time.monotonic() + PATIENCE
            control = (installed / "avatar-app", "control")
            while call(*control, "status", cwd=tmp_path, env=alone).returncode:
                assert app.poll() is None and time.monotonic() < until, app.communicate()[1]
            assert call(*control, "quit", cwd=tmp_path, env=alone).returncode == 0
            assert app.wait(PATIENCE) == 0
            assert app.stderr is not None and "Traceback" not in app.stderr.read()
        finally:
            app.kill()


def test_the_installed_app_says_what_training_needs(
    installed: Path, alone: dict[str, str], tmp_path: Path
) -> None:
    done = call(installed / "avatar-app", "bench", cwd=tmp_path, env=alone)
    assert done.returncode == 2
    assert "needs packages that are not installed: torch, onnx, scipy. Run `" in done.stderr
