"""``animate`` with folders, single pictures, excerpts and sound, as users run it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest

from avatar_app import extras
from avatar_app.cli import main
from avatar_app.commands import animator, batch
from avatar_app.media.clip_writer import ClipWriter
from avatar_app.media.photo import read_frame
from tests.session.stand_ins import DiscDetector, DrawingEngine, draw_face, draw_ground
from tests.support.media import clip_facts, make_clip


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> list[DrawingEngine]:
    """Only the networks are fake. Returns the engines that were opened."""
    opened: list[DrawingEngine] = []

    def open_engine(*_: object) -> DrawingEngine:
        opened.append(DrawingEngine())
        return opened[-1]

    monkeypatch.setattr(animator, "open_bundle", lambda name: SimpleNamespace(name=name, kind="anchored"))
    monkeypatch.setattr(animator, "open_engine", open_engine)
    monkeypatch.setattr("avatar_app.commands.animator.FaceDetector.open", DiscDetector)
    return opened


def write_photo(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), draw_face(200, 200, 100, 100, 40))
    return path


def write_clip(path: Path, count: int = 3) -> Path:
    path.parent.mkdir(exist_ok=True)
    with ClipWriter(path, Fraction(25), (160, 120)) as writer:
        for index in range(count):
            writer.write(draw_face(x=70 + 2 * index), Fraction(index, 25))
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Two photos and two clips in folders."""
    for name in ("anna.png", "ben.png"):
        write_photo(tmp_path / "photos" / name)
    for name in ("nod.mp4", "smile.mkv"):
        write_clip(tmp_path / "clips" / name)
    return tmp_path


def run(folder: Path, *more: str, photos: str = "photos", clips: str = "clips", out: str = "out") -> int:
    paths = {"--avatar": photos, "--driving": clips, "--output": out}
    words = [word for name, value in paths.items() for word in (name, str(folder / value))]
    return main(["animate", *words, *more])


def made(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_photo_with_every_clip(
    folders: Path, capsys: pytest.CaptureFixture[str], stand_ins: list[DrawingEngine]
) -> None:
    assert run(folders, "--json", str(folders / "report.json")) == 0
    names = ["anna/nod.mp4", "anna/smile.mp4", "ben/nod.mp4", "ben/smile.mp4"]
    assert made(folders / "out") == names
    assert len(clip_facts(folders / "out" / names[3])["times"]) == 3  # type: ignore[arg-type]
    assert "4 results: 4 made\n" in capsys.readouterr().out
    facts = json.loads((folders / "report.json").read_text())
    assert (facts["made"], facts["there"], facts["failed"]) == (4, 0, 0)
    assert {item["state"] for item in facts["results"]} == {"made"}
    assert len(stand_ins) == 1


def test_results_in_any_order_are_kept_as_they_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, clips = [Path("a.jpg"), Path("b.jpg"), Path("c.jpg")], [Path("one.mp4"), Path("two.mp4")]
    jobs = batch.jobs_of(batch.Folders(photos, clips, True, True), tmp_path, "mp4")
    groups = batch.groups_of(jobs, 2)
    assert [[job.photo.stem for job in group] for group in groups] == [["a", "b"], ["c"]] * 2
    jobs[1].output.parent.mkdir()
    jobs[1].output.write_bytes(b"whole")
    asked: list[batch.Job] = []

    def backwards(missing: Sequence[batch.Job]) -> Iterator[batch.Result]:
        for job in reversed(missing):
            asked.append(job)
            yield batch.Result(job, made=job.photo.stem == "a", error="" if job.photo.stem == "a" else "No.")

    results = batch.make_all(jobs, backwards, one_bar=True)
    assert asked == [jobs[index] for index in (5, 4, 3, 2, 0)]
    assert [(result.job, result.state) for result in results] == list(
        zip(jobs, ["made", "there", "failed", "made", "failed", "failed"], strict=True)
    )
    assert capsys.readouterr().err.count("was not made. No.") == 3


def test_a_cluster_needs_folders_and_ray(
    folders: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(folders, "--cluster", photos="photos/anna.png", clips="clips/nod.mp4", out="a.mp4") == 2
    assert "--cluster is for folders" in capsys.readouterr().err
    monkeypatch.setattr(extras, "_installed", lambda name: not name.startswith("ray"))
    assert run(folders, "--cluster") == 2
    assert "not installed: ray" in capsys.readouterr().err
    assert not (folders / "out").exists()


def test_what_is_there_is_not_made_again(
    folders: Path, capsys: pytest.CaptureFixture[str], stand_ins: list[DrawingEngine]
) -> None:
    assert run(folders) == 0
    before = {name: (folders / "out" / name).stat().st_mtime_ns for name in made(folders / "out")}
    (folders / "out" / "ben" / "nod.mp4").unlink()
    capsys.readouterr()
    assert run(folders) == 0
    assert "4 results: 1 made, 3 there already" in capsys.readouterr().out
    after = {name: (folders / "out" / name).stat().st_mtime_ns for name in made(folders / "out")}
    assert {name for name in before if before[name] != after[name]} == {"ben/nod.mp4"}
    assert run(folders) == 0
    assert len(stand_ins) == 2  # the third time no model was opened


def test_one_that_fails_does_not_stop_the_others(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folders / "photos" / "broken.png").write_bytes(b"no picture")
    with ClipWriter(folders / "clips" / "empty.mp4", Fraction(25), (160, 120)) as writer:
        writer.write(draw_ground(), Fraction(0))
    assert run(folders, "--json", str(folders / "report.json")) == 1
    assert made(folders / "out") == ["anna/nod.mp4", "anna/smile.mp4", "ben/nod.mp4", "ben/smile.mp4"]
    assert not (folders / "out" / "broken").exists()
    printed = capsys.readouterr()
    assert "9 results: 4 made, 5 failed" in printed.out
    assert "broken" in printed.err
    assert "No face was found in the clip" in printed.err
    facts = json.loads((folders / "report.json").read_text())
    assert [item["error"] for item in facts["results"] if item["state"] == "made"] == [""] * 4


def test_results_are_named_after_what_there_are_several_of(folders: Path) -> None:
    assert run(folders, "--format", "gif", photos="photos/anna.png", out="clips-out") == 0
    assert made(folders / "clips-out") == ["nod.gif", "smile.gif"]
    assert run(folders, clips="clips/nod.mp4", out="photos-out") == 0
    assert made(folders / "photos-out") == ["anna.mp4", "ben.mp4"]


def test_photos_of_one_name_do_not_take_each_others_place(folders: Path) -> None:
    cv2.imwrite(str(folders / "photos" / "anna.jpg"), draw_face(200, 200, 100, 100, 40))
    assert run(folders, clips="clips/nod.mp4") == 0
    assert made(folders / "out") == ["anna.jpg.mp4", "anna.png.mp4", "ben.png.mp4"]


def test_folder_of_pictures_is_one_clip(folders: Path) -> None:
    frames = folders / "frames"
    for index in range(4):
        write_photo(frames / f"{index}.png")
    assert run(folders, "--fps", "10", photos="photos/anna.png", clips="frames", out="out.mp4") == 0
    assert clip_facts(folders / "out.mp4")["times"] == [0, 0.1, 0.2, 0.3]


def test_one_picture_drives_one_picture(folders: Path, stand_ins: list[DrawingEngine]) -> None:
    cv2.imwrite(str(folders / "pose.png"), draw_face(x=90, y=50))
    assert run(folders, "--size", "128", photos="photos/anna.png", clips="pose.png", out="out.jpg") == 0
    assert read_frame(folders / "out.jpg").shape == (128, 128, 3)
    assert len(stand_ins[0].poses) == 1
    assert run(folders, clips="pose.png") == 0
    assert made(folders / "out") == ["anna.png", "ben.png"]


def test_part_with_the_sound_of_another_file(folders: Path) -> None:
    make_clip(folders / "song.mp4", 50, sound="aac", seconds=2)
    song = str(folders / "song.mp4")
    write_clip(folders / "long.mp4", 20)
    options = ("--start", "0.2", "--end", "0:0.6", "--audio-from", song)
    assert run(folders, *options, photos="photos/anna.png", clips="long.mp4", out="out.mp4") == 0
    facts = clip_facts(folders / "out.mp4")
    assert len(facts["times"]) == 10  # type: ignore[arg-type]
    assert facts["sound"] == "aac"
    assert facts["sound_seconds"] == pytest.approx(0.4, abs=0.05)


def test_strength_changes_the_motion(folders: Path, stand_ins: list[DrawingEngine]) -> None:
    for value in ("1", "0"):
        assert (
            run(folders, "--head", value, photos="photos/anna.png", clips="clips/nod.mp4", out="o.mp4") == 0
        )
    moved, still = ([pose.value[30, 0] for pose in engine.poses] for engine in stand_ins)
    assert max(moved) - min(moved) > 0.02
    assert max(still) - min(still) < 1e-3


def test_gif_has_no_sound_and_says_so(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = str(make_clip(folders / "song.mp4", 5, sound="aac"))
    options = ("--audio-from", song)
    assert run(folders, *options, photos="photos/anna.png", clips="clips/nod.mp4", out="out.gif") == 0
    assert capsys.readouterr().err == "note: a file that ends in .gif has no sound\n"


@pytest.mark.parametrize(
    ("options", "paths", "says"),
    [
        ("--start 2 --end 1", {}, "The end, 1 s, does not come after the start, 2 s."),
        ("", {"out": "photos/anna.png"}, "must be a folder for several results"),
        ("", {"out": "photos"}, "is also an input"),
        ("", {"out": "none/out"}, "There is no folder"),
        ("", {"photos": "empty"}, "has no photos in it"),
        ("", {"clips": "empty"}, "neither clips nor pictures"),
        ("--format jpg", {}, "ending that cannot be written"),
        ("--background transparent", {}, "cannot be transparent"),
        ("", {"clips": "photos/anna.png", "out": "out.mp4", "photos": "photos/ben.png"}, "gives one picture"),
        ("--audio-from photos/anna.png", {}, "cannot be read"),
        (
            "--start 9",
            {"photos": "photos/ben.png", "clips": "clips/nod.mp4", "out": "a.mp4"},
            "is over before second 9",
        ),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(
    folders: Path,
    options: str,
    paths: dict[str, str],
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (folders / "empty").mkdir()
    monkeypatch.chdir(folders)
    before = made(folders)
    assert run(folders, *options.split(), **paths) == 2
    printed = capsys.readouterr()
    assert says in printed.err
    assert printed.err.count("\n") == 1
    assert made(folders) == before
    assert not (folders / "out").exists()


@pytest.mark.parametrize(
    "words", ["--start now", "--end 1:2:3:4", "--start -1", "--head 2", "--gaze x", "--fps 0"]
)
def test_wrong_value(folders: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, _, value = words.partition(" ")
    with pytest.raises(SystemExit):
        run(folders, f"{name}={value}")
    assert f"argument {name}: " in capsys.readouterr().err
