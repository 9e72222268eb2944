"""``animate`` and ``demo`` as users run them, including typical mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from avatar_app.cli import main
from avatar_app.commands import animator, demo
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.video import read_clip
from avatar_app.paths import assets_folder, model_folders
from tests.session.stand_ins import DiscDetector, DrawingEngine, draw_face, draw_ground
from tests.support.media import clip_facts, make_clip

MODELS = model_folders()[0]
CLIPS = Path(__file__).parents[2].parent / "shared" / "clips"

has_lite = pytest.mark.skipif(
    not (MODELS / "lite").is_dir() or not (MODELS / "faces").is_dir(), reason="needs the default model"
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), draw_face(300, 300, 150, 150, 60))
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with ClipWriter(path, Fraction(30), (160, 120)) as writer:
        for index in range(6):
            writer.write(draw_face(x=70 + 2 * index), Fraction(index, 30))
    return path


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the networks are fake."""
    monkeypatch.setattr(animator, "open_bundle", lambda name: SimpleNamespace(name=name, kind="anchored"))
    monkeypatch.setattr(animator, "open_engine", lambda bundle, device, threads: DrawingEngine())
    monkeypatch.setattr("avatar_app.commands.animator.FaceDetector.open", DiscDetector)


def run(photo: Path, clip: Path, output: Path, *more: str) -> int:
    return main(["animate", "--avatar", str(photo), "--driving", str(clip), "--output", str(output), *more])


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The single line on stderr of a refused run."""
    printed = capsys.readouterr()
    assert code == 2
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.usefixtures("stand_ins")
def test_video_and_report(
    photo: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, report = tmp_path / "out.mp4", tmp_path / "report.json"
    assert (
        run(
            photo,
            clip,
            output,
            "--json",
            str(report),
            "--side-by-side",
            "--size",
            "100",
            "--absolute",
            "--no-adapt-scale",
        )
        == 0
    )
    assert clip_facts(output)["times"] == clip_facts(clip)["times"]
    assert clip_facts(output)["size"] == (200, 100)
    facts = json.loads(report.read_text())
    assert (facts["frames"], facts["clip_fps"], facts["held_frames"], facts["model"]) == (6, 30, 0, "lite")
    assert facts["fps"] > 0
    assert set(facts["stages_ms"]) == {"encode", "read", "track", "detect", "transfer", "render", "write"}
    assert all(stage["p50"] <= stage["p95"] for stage in facts["stages_ms"].values())
    assert "6 frames" in capsys.readouterr().out


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    "options",
    ["--find-best-frame", "--best-frame 3", "--relative --adapt-scale", "--crop none", "--smoothing off"],
)
def test_options_are_accepted(photo: Path, clip: Path, tmp_path: Path, options: str) -> None:
    assert run(photo, clip, tmp_path / "out.mp4", *options.split()) == 0


@pytest.mark.usefixtures("stand_ins")
def test_sound_is_kept(photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "clip.mp4", 10, sound="aac", seconds=0.4)
    monkeypatch.setattr(animator, "open_bundle", lambda name: SimpleNamespace(name=name, kind="fomm"))
    assert run(photo, clip, tmp_path / "out.mp4", "--audio", "--crop", "center") == 0
    assert clip_facts(tmp_path / "out.mp4")["sound"] == "aac"


@pytest.mark.usefixtures("stand_ins")
def test_notes_go_to_stderr(
    photo: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(photo, clip, tmp_path / "out.mp4", "--audio") == 0
    assert capsys.readouterr().err == "note: the clip has no sound to copy\n"


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("wrong", ["photo", "clip"])
def test_no_face(
    photo: Path, clip: Path, tmp_path: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if wrong == "photo":
        cv2.imwrite(str(photo), draw_ground(200, 200))
    else:
        make_clip(clip, 3, size=(64, 64))
        with ClipWriter(clip, Fraction(25), (160, 120)) as writer:
            writer.write(draw_ground(), Fraction(0))
    assert f"No face was found in the {wrong}" in refused(capsys, run(photo, clip, tmp_path / "out.mp4"))
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--avatar", "missing.png", "There is no photo"),
        ("--avatar", "text.txt", "is not a picture"),
        ("--avatar", "empty", "is empty"),
        ("--avatar", "clip.mp4", "is not a picture"),
        ("--driving", "missing.mp4", "There is no clip"),
        ("--driving", "text.txt", "cannot be read as a video"),
        ("--driving", "empty", "is empty"),
        ("--driving", "photo.png", "One driving picture gives one picture"),
        ("--output", "nowhere/out.mp4", "There is no folder"),
        ("--output", "out.txt", "cannot be written"),
        ("--output", ".", "is a folder"),
        ("--output", "clip.mp4", "is also an input"),
        ("--json", "photo.png", "is also an input"),
        ("--json", "out.mp4", "Two outputs"),
        ("--output", "n" * 300 + ".mp4", "file name too long"),
        ("--json", "n" * 300, "file name too long"),
        ("--json", "nowhere/report.json", "There is no folder"),
        ("--model", "no-such-model", "no-such-model"),
    ],
)
def test_wrong_file(
    photo: Path,
    clip: Path,
    option: str,
    value: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tmp_path = photo.parent
    (tmp_path / "text.txt").write_text("hello " * 100)
    (tmp_path / "empty").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.chdir(tmp_path)
    assert says in refused(capsys, run(photo, clip, tmp_path / "out.mp4", option, value))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("options", "size"),
    [
        ("--size 320x180", (320, 180)),
        ("--size 180x320 --background #203040", (180, 320)),
        ("--size 128 --background blur --zoom 1.5 --offset 0.1,-0.1", (128, 128)),
        ("--size 320x180 --side-by-side", (500, 180)),
    ],
)
def test_frames_of_any_shape(
    photo: Path, clip: Path, tmp_path: Path, options: str, size: tuple[int, int]
) -> None:
    output = tmp_path / "out.mp4"
    assert run(photo, clip, output, *options.split()) == 0
    assert clip_facts(output)["size"] == size


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("out.webm", "", "This model cannot make the background transparent"),
        ("out.mp4", "", "cannot be transparent"),
        ("out.webm", "--side-by-side", "no driver beside it"),
    ],
)
def test_transparent_result_that_cannot_be_is_refused(
    photo: Path,
    clip: Path,
    tmp_path: Path,
    name: str,
    options: str,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run(photo, clip, tmp_path / name, "--background", "transparent", *options.split())
    assert says in refused(capsys, code)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--size 320x", "'' is not a whole number from 64 to 2048"),
        ("--zoom 3", "'3' is not a number from 0.5 to 2"),
        ("--offset 1", "'1' is not two numbers such as 0.1,-0.05"),
        ("--size abc", "'abc' is not a whole number from 64 to 2048"),
        ("--size 63", "63 is not a whole number from 64 to 2048"),
        ("--best-frame x", "'x' is not a whole number from 0"),
        ("--threads 0", "0 is not a whole number from 1 to 256"),
        ("--threads 100000", "100000 is not a whole number from 1 to 256"),
        ("--threads two", "'two' is not a whole number from 1 to 256"),
    ],
)
def test_wrong_number(
    photo: Path, clip: Path, words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(photo, clip, photo.parent / "out.mp4", *words.split())
    assert f"{words.split()[0]}: {says}. See:" in capsys.readouterr().err


@has_lite
def test_cuda_that_is_not_there(
    photo: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("CUDA is there")
    assert "cuda" in refused(capsys, run(photo, clip, tmp_path / "out.mp4", "--device", "cuda")).lower()


@has_lite
@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the test clips")
def test_real_photo_and_clip(tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    driver = read_clip(CLIPS / "drive_480p_c.mp4")
    with ClipWriter(short, driver.fps, (driver.width, driver.height)) as writer:
        for (image, time), _ in zip(driver.timed_frames(), range(15), strict=False):
            writer.write(image, time)
    report = tmp_path / "report.json"
    assert run(CLIPS / "source_b.jpg", short, tmp_path / "out.mp4", "--json", str(report)) == 0
    images = np.stack(list(read_clip(tmp_path / "out.mp4").frames())).astype(float)
    assert len(images) == 15
    assert images.std() > 20
    assert np.abs(images[0] - images[-1]).mean() > 1  # something moved
    assert json.loads(report.read_text())["held_frames"] == 0


def test_the_processor_path_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import avatar_app.commands.animate, "
        "avatar_app.engines.onnx_engine"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_demo_without_its_files_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "assets_folder", lambda: tmp_path)
    assert "demo's files are missing" in refused(capsys, main(["demo"]))


@pytest.mark.usefixtures("stand_ins")
def test_demo_animates_what_it_came_with(
    photo: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "assets" / "avatars").mkdir(parents=True)
    photo.rename(tmp_path / "assets" / "avatars" / "one.png")
    clip.rename(tmp_path / "assets" / "driving.mp4")
    monkeypatch.setattr(demo, "assets_folder", lambda: tmp_path / "assets")
    assert main(["demo", "--output", str(tmp_path / "demo.mp4")]) == 0
    assert len(list(read_clip(tmp_path / "demo.mp4").frames())) == 6


@pytest.mark.skipif(not (assets_folder() / "driving.mp4").is_file(), reason="needs the demo's files")
def test_demo_files_are_there() -> None:
    photo, clip = demo.demo_files(assets_folder())
    assert photo.is_file()
    assert clip.is_file()


def test_a_format_for_one_result_is_refused(
    photo: Path, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(photo, clip, tmp_path / "out.mp4", "--format", "gif") == 2
    assert "--format is for folders" in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [(("--fps", "10"), "--fps is for a folder of pictures"), (("--adapt-variance",), "is for Monkey-Net")],
)
def test_an_option_that_would_change_nothing_is_refused(
    photo: Path,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: tuple[str, ...],
    says: str,
) -> None:
    assert run(photo, clip, tmp_path / "out.mp4", *option) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.mp4").exists()
