"""The ``bench`` command on a tiny model, with a tiny reference."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import pytest

from avatar_app.cli import main
from avatar_app.commands import bench
from avatar_app.video import ClipWriter
from tests.bundles import face_crop, write_fomm
from tests.originals import write_original


def test_the_report_has_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, configuration = write_original(tmp_path)
    monkeypatch.setattr(bench, "REFERENCE_CONFIG", configuration)
    monkeypatch.setattr(bench, "WARM_UP", 1)
    bundle = write_fomm(tmp_path / "tiny")
    cv2.imwrite(str(tmp_path / "photo.png"), face_crop(0).image)
    with ClipWriter(tmp_path / "clip.mp4", Fraction(25), (64, 64)) as writer:
        for index in range(3):
            writer.write(face_crop(index).image, Fraction(index, 25))
    files = ["--avatar", str(tmp_path / "photo.png"), "--driving", str(tmp_path / "clip.mp4"), "--json", str(tmp_path / "report.json")]
    assert main(["bench", "--model", str(bundle.folder), "--device", "cpu", "--threads", "1", "--frames", "5", *files]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    keys = ["hardware", "versions", "model", "engine", "frames", "stages_ms", "chain", "reference", "speedup"]
    assert list(report) == keys
    assert report["model"] == "tiny"
    assert report["frames"] == 5
    assert list(report["stages_ms"]) == ["crop", "detect", "transfer", "render", "compose", "convert"]
    assert all(times.keys() == {"p50", "p95"} for times in report["stages_ms"].values())
    assert report["chain"].keys() == {"fps", "ms_p50", "ms_p95"}
    assert report["reference"].keys() == {"what", "ms_p50"}
    assert report["speedup"] == pytest.approx(report["reference"]["ms_p50"] / report["chain"]["ms_p50"], abs=0.01)
    assert "frames per second" in capsys.readouterr().out


def test_a_count_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--frames", "0"])
    assert "not at least 1" in capsys.readouterr().err
