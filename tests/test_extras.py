"""Optional packages: how commands report them, and what the installation declares."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from avatar_app import cli, extras
from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines.open import open_engine
from avatar_app.errors import EngineError

ROOT = Path(__file__).parents[1]
Hide = Callable[..., None]


@pytest.fixture
def hide(monkeypatch: pytest.MonkeyPatch) -> Hide:
    """Make installed packages appear missing."""
    version = metadata.version

    def hidden(*names: str) -> None:
        def seen(name: str) -> str:
            if name in names:
                raise metadata.PackageNotFoundError(name)
            return version(name)

        monkeypatch.setattr(metadata, "version", seen)

    return hidden


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metadata of an installed app, which Python finds first."""
    folder = tmp_path / "avatar_app-1.0.0.dist-info"
    folder.mkdir()
    lines = [
        "Metadata-Version: 2.4",
        "Name: avatar-app",
        "Version: 1.0.0",
        "Requires-Dist: numpy==2.4.6",
        'Requires-Dist: uvicorn==0.54.0; extra == "serve"',
        'Requires-Dist: avatar-app[serve]; extra == "cluster"',
        'Requires-Dist: ray[serve]==2.60.0; extra == "cluster"',
    ]
    (folder / "METADATA").write_text("\n".join(lines) + "\n\n")
    (folder / "INSTALLER").write_text("pip\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        ["bench"],
        ["evaluate", "lite", "--data", "data", "--json", "figures.json"],
        ["compare", "--data", "data"],
        ["models", "import", "weights.pth.tar", "--name", "mine"],
        ["models", "parity", "weights.pth.tar", "--arrays", "arrays.npz"],
        ["models", "fetch", "vox-adv"],
    ],
)
def test_commands_name_the_packages_they_lack_and_how_to_install_them(
    words: list[str], hide: Hide, capsys: pytest.CaptureFixture[str]
) -> None:
    hide("torch", "onnx")
    assert cli.main(words) == cli.USER_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs packages that are not installed: torch, onnx." in line
    assert line.endswith(f"`{extras.python()} -m pip install torch==2.13.0 onnx==1.23.2`.")


def test_an_engine_names_the_package_it_lacks(hide: Hide) -> None:
    hide("torch")
    with pytest.raises(
        EngineError, match="--device torch needs packages that are not installed: torch"
    ) as caught:
        open_engine(open_bundle("lite"), "torch")
    assert "pip install torch==2.13.0" in caught.value.hint


def test_training_says_what_it_lacks_in_one_line(tmp_path: Path) -> None:
    """In a Python that has only the app's own code."""
    code = (
        "import runpy, sys; from importlib import metadata\n"
        "metadata.version = lambda name: (_ for _ in ()).throw(metadata.PackageNotFoundError(name))\n"
        "sys.argv = ['-m']; runpy.run_module('avatar_app.training.train')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: Training needs packages that are not installed: torch, onnx, scipy. Run `")


def test_the_requirements_of_an_installation(installation: Path) -> None:
    """An installed package has no setup.cfg beside it."""
    assert extras.requirements("serve", installation) == ["uvicorn==0.54.0"]
    assert extras.requirements("cluster", installation) == ["uvicorn==0.54.0", "ray[serve]==2.60.0"]
    assert extras.requirements("unheard-of", installation) == []


def test_a_checkout_and_its_installation_ask_for_the_same() -> None:
    assert extras.requirements("train") == ["torch==2.13.0", "onnx==1.23.2", "scipy==1.17.1"]
    assert extras.requirements("cluster")[-1] == "ray[serve]==2.60.0"
    assert set(extras.requirements("all")) >= {*extras.requirements("train"), *extras.requirements("gpu")}


def test_words_that_a_shell_would_take_apart_are_quoted() -> None:
    words = extras.install(["onnxruntime>=1.25", "ray[serve]==2.60.0", "torch==2.13.0"])
    assert words.endswith('pip install "onnxruntime>=1.25" "ray[serve]==2.60.0" torch==2.13.0`.')


def test_a_bundle_offers_no_command_that_it_lacks(installation: Path) -> None:
    assert extras.extensible()
    (installation / "INSTALLER").write_text("avatar-app\n")
    assert not extras.extensible()
    assert extras.install(["torch==2.13.0"]).startswith("This installation cannot be extended")


def test_a_path_with_spaces_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/opt/my app/python")
    assert extras.python() == '"/opt/my app/python"'
