"""PyTorch is fetched from a folder of tiny wheels by the real `uv`, and tested by a real import.

No card is needed. These wheels cannot show that a real build of PyTorch computes on a real card.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from avatar_app import cli
from avatar_app.cuda import fetch as fetching
from avatar_app.cuda import folder
from avatar_app.cuda.fetch import Progress, fetch, find_uv
from avatar_app.errors import EngineError
from avatar_app.paths import user_pytorch

VERSION = f"{folder.wanted().partition('==')[2]}+cu130"

WORKS = f"""
__version__ = "{VERSION}"
class Sum(float):
    def sum(self): return self
def ones(number, device): return Sum(number)
"""
FAILS = "raise ImportError('libcuda.so.1: cannot open shared object file')"


def has_uv() -> bool:
    try:
        find_uv()
    except EngineError:
        return False
    return True


needs_uv = pytest.mark.skipif(not has_uv(), reason="uv is not installed")


def write_wheel(target: Path, name: str, version: str, code: str, requires: str = "") -> None:
    about = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    files = {
        f"{name}/__init__.py": code,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(target / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in (files | {f"{about}/RECORD": record}).items():
            wheel.writestr(path, text)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user folder of its own, a fake driver, and a search path that is restored at the end."""
    monkeypatch.setattr("avatar_app.paths.user_data", lambda: tmp_path / "user")
    monkeypatch.setattr(fetching, "has_driver", lambda: True)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path / "user"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    made = tmp_path / "wheels"
    made.mkdir()
    write_wheel(made, "torch", VERSION, WORKS, "torchparts")
    write_wheel(made, "torchparts", "1.0", "")
    return made


def imported(code: str) -> str:
    """The output of another process that has joined the folder, as the app does at its start."""
    program = (
        "import sys; from pathlib import Path; from avatar_app import paths; "
        f"paths.user_data = lambda: Path({str(user_pytorch().parent)!r}); "
        f"from avatar_app.cuda.folder import join_path; joined = join_path(); {code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout.strip()


@needs_uv
def test_what_was_fetched_is_imported_until_it_is_removed(wheels: Path) -> None:
    seen: list[Progress] = []
    assert folder.look() == ("absent", "")
    assert fetch(wheels=wheels, show=seen.append) == VERSION
    assert seen[-1].trying and folder.look() == ("ready", VERSION)
    assert not folder.partial().exists() and not (user_pytorch() / "cache").exists()
    assert imported("import torch; print(joined, torch.__version__)") == f"True {VERSION}"
    assert folder.remove()
    assert not user_pytorch().exists() and folder.look() == ("absent", "")
    assert imported("print(joined)") == "False"


@needs_uv
def test_a_new_one_that_does_not_compute_leaves_the_old_one(wheels: Path) -> None:
    fetch(wheels=wheels)
    write_wheel(wheels, "torch", VERSION, FAILS)
    with pytest.raises(
        EngineError, match=r"does not compute on the graphics card: .*libcuda\.so\.1"
    ) as caught:
        fetch(wheels=wheels)
    assert "driver" in caught.value.hint
    assert folder.look() == ("ready", VERSION) and not folder.partial().exists()


@needs_uv
def test_a_new_one_that_cannot_take_its_place_leaves_the_old_one(
    wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch(wheels=wheels)
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self == folder.partial():
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(EngineError, match="could not be kept"):
        fetch(wheels=wheels)
    assert folder.look() == ("ready", VERSION)
    assert not folder.replaced().exists()


@needs_uv
def test_packages_that_do_not_arrive_are_absent(wheels: Path) -> None:
    (wheels / "torchparts-1.0-py3-none-any.whl").unlink()
    with pytest.raises(EngineError, match=r"PyTorch could not be fetched: .*torchparts"):
        fetch(wheels=wheels)
    assert folder.look() == ("absent", "") and imported("print(joined)") == "False"
    assert folder.partial().exists(), "the next try goes on with it"
    assert folder.remove() and not folder.partial().exists()


@needs_uv
def test_stopping_leaves_nothing(wheels: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert fetch(wheels=wheels, stop=stop) == ""
    assert folder.look() == ("absent", "") and not folder.partial().exists()


def test_without_a_driver_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "has_driver", lambda: False)
    with pytest.raises(EngineError, match="No NVIDIA driver was found"):
        fetch()


def test_a_missing_uv_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EngineError, match="The program uv is missing") as caught:
        fetch()
    assert "pip install uv" in caught.value.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("python", "3.9"),
        ("platform", "linux-riscv64"),
        ("torch", "1.0.0+cu130"),
        ("torch", 5),
        ("python", None),
    ],
)
def test_what_was_fetched_for_something_else_is_not_joined(field: str, value: object) -> None:
    (user_pytorch() / folder.PACKAGES).mkdir(parents=True)
    folder.describe(user_pytorch(), VERSION)
    assert folder.look() == ("ready", VERSION)
    path = user_pytorch() / folder.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    assert folder.look()[0] == "unfit"
    assert not folder.join_path()
    assert str(user_pytorch() / folder.PACKAGES) not in sys.path


@pytest.mark.parametrize("text", ["", "[]", "{}", "\x00", '{"torch": "2"}'])
def test_a_description_that_makes_no_sense_is_absent(text: str) -> None:
    user_pytorch().mkdir(parents=True)
    (user_pytorch() / folder.DESCRIPTION).write_text(text)
    assert folder.look() == ("absent", "")


def test_progress_is_read_from_what_uv_says() -> None:
    progress = Progress()
    assert progress.share == 0
    for line in ("Resolved 2 packages in 5ms", "Downloading torch (1.5GiB)", "Downloading cudnn (512.0MiB)"):
        progress.read(line)
    progress.read(" Downloaded cudnn")
    assert progress.share == 0.25
    progress.read(" Downloaded torch")
    assert progress.share == 1


@needs_uv
def test_the_command(wheels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cuda", "status"]) == 1
    assert cli.main(["cuda", "install", "--wheels", str(wheels)]) == 0
    assert cli.main(["cuda", "status"]) == 0
    assert cli.main(["cuda", "remove"]) == 0
    assert cli.main(["cuda", "remove"]) == 0
    said = capsys.readouterr().out
    for words in (
        "fetched: nothing",
        f"PyTorch {VERSION} computes",
        f"fetched: PyTorch {VERSION}\n",
        "is removed",
    ):
        assert words in said
    assert "There is nothing to remove." in said


def test_a_folder_of_wheels_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["cuda", "install", "--wheels", str(tmp_path / "none")]) == 2
    assert "There is no folder" in capsys.readouterr().err
