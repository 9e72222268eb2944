"""Settings, library, poses and bundles from untrusted files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avatar_app.bundles.bundle import Bundle, list_bundles, read_bundle
from avatar_app.cameras.opening import open_source
from avatar_app.errors import AvatarError, BundleError, CameraError
from avatar_app.gui.settings import Settings, load_settings, save_settings, to_controls
from avatar_app.motion.calibration import NeutralStore
from avatar_app.photos.library import Library
from avatar_app.session.controls import SIZES
from avatar_app.types import KeyPoints
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import DEEP, NASTY, TEXTS, VALUES, as_json, changed

SETTINGS = Settings().flat() | {"version": 1}
POSES = {"a": {"value": [[0.0, 0.5]], "jacobian": [[[1.0, 0.0], [0.0, 1.0]]], "depth": [0.1]}}
HASH = "0" * 64
BUNDLE = {
    "format": 1,
    "name": "x",
    "kind": "fomm",
    "size": 64,
    "config": {},
    "licence": "MIT",
    "files": {"weights.safetensors": {"sha256": HASH, "bytes": 3}},
}
SIDECAR = {"name": "Photo", "box": [50.0, 40.0, 60.0], "origin": "photo.jpg", "picture": HASH}
INDEX = {
    "keys": {"photo.png": 1},
    "bundled": {"given.png": {"name": "Given", "box": [50.0, 40.0, 60.0], "hidden": False}},
}


def any_file(document: object) -> st.SearchStrategy[bytes]:
    return changed(document) | st.sampled_from([*NASTY, DEEP]) | VALUES.map(as_json) | st.binary(max_size=50)


def assert_settings(path: Path) -> None:
    settings, warnings = load_settings(path)
    assert settings.controls.size in SIZES
    assert all(type(side) is int for side in settings.controls.size)
    for warning in warnings:
        warning.encode()  # can be shown and printed
    to_controls(settings)
    save_settings(settings, path)
    again, _ = load_settings(path)
    assert as_json(asdict(again)) == as_json(asdict(settings))  # as text, so that NaN equals NaN


@fuzz(80)
@given(content=any_file(SETTINGS))
@example(content=DEEP)
@example(content=b'{"size": [1280.0, 720.0]}')
@example(content=b'{"theme": "\\ud800"}')
@example(content=b'{"unknown": {"a": 1}}')
def test_settings(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with bounded():
        assert_settings(path)


@fuzz(80)
@given(content=any_file(POSES))
@example(content=b'{"a": {"value": [[1%s, 0]], "jacobian": null, "depth": null}}' % (b"0" * 400))
@example(content=b'{"a": {"value": [[1e300, 0]], "jacobian": null, "depth": null}}')
def test_neutral_poses(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "neutral-poses.json"
    path.write_bytes(content)
    with bounded():
        store = NeutralStore(path)
        pose = store.get("a")
        assert pose is None or np.isfinite(pose.value).all()
        store.put("b", KeyPoints(np.zeros((3, 2), np.float32), None, None))
        assert NeutralStore(path).get("b") is not None


@fuzz(80)
@given(content=any_file(BUNDLE))
@example(content=DEEP)
@example(content=as_json({**BUNDLE, "files": {"..": {"sha256": HASH}}}))
@example(content=as_json({**BUNDLE, "files": {"a\0b": {"sha256": HASH}}}))
@example(content=as_json({**BUNDLE, "files": {"\ud800": {"sha256": HASH}}}))
def test_bundles(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "bundle.json").write_bytes(content)
    (folder / "weights.safetensors").write_bytes(b"abc")
    with bounded(), suppress(BundleError):
        bundle = read_bundle(folder)
        assert all((folder / name).parent == folder for name in bundle.hashes)
        bundle.verify()


@fuzz(40)
@given(sidecar=any_file(SIDECAR), index=any_file(INDEX))
@example(sidecar=DEEP, index=DEEP)
@example(sidecar=as_json({"box": [1e308, -1e308, 1e308]}), index=b"{}")
@example(sidecar=as_json({"box": [10, 10, 1e12]}), index=b"{}")
@example(sidecar=as_json({"box": [1e12, 10, 1]}), index=b"{}")
def test_library(shipped: Path, tmp_path: Path, sidecar: bytes, index: bytes) -> None:
    folder = tmp_path / "avatars"
    folder.mkdir(exist_ok=True)
    photo = folder / "photo.png"
    photo.write_bytes((shipped / "given.png").read_bytes())
    (folder / "photo.png.json").write_bytes(sidecar)
    (folder / "index.json").write_bytes(index)
    with bounded():
        library = Library(folder, shipped)
        own = library.find("photo.png")
        assert own is not None
        for entry in library.entries():
            assert entry.name.isprintable() or entry.name
            entry.name.encode()
            assert library.thumbnail(entry, 32).shape == (32, 32, 3)
            with suppress(AvatarError):
                assert library.rename(entry, "Another").name == "Another"


@fuzz(60)
@given(
    text=TEXTS
    | TEXTS.map("/".__add__)
    | TEXTS.map("http://127.0.0.1:1/".__add__)
    | TEXTS.map("rtsp://".__add__)
)
@example(text="http://[")
@example(text="http://\ud800/")
@example(text="http://" + "a" * 70 + "/")
@example(text="http://127.0.0.1:99999999999/")
@example(text="http://127.0.0.1:1/\r\nX: y")
@example(text="/dev/\0")
@example(text="9" * 5000)
def test_sources_that_settings_name(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.cameras.opening.list_cameras", list)
    monkeypatch.setattr("avatar_app.cameras.listing.list_cameras", list)
    with bounded(), suppress(CameraError):
        open_source(text).close()


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import PIL.Image

    from tests.support.media import picture

    folder = tmp_path_factory.mktemp("shipped")
    PIL.Image.fromarray(picture(100, 80)).save(folder / "given.png")
    return folder


def read_library(path: Path) -> object:
    return Library(path.parent, path.parent / "none")


READERS: dict[str, Callable[[Path], object]] = {
    "settings.json": load_settings,
    "neutral-poses.json": NeutralStore,
    "bundle.json": lambda path: read_bundle(path.parent),
    "index.json": read_library,
}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with bounded(), suppress(BundleError):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", READERS)
def test_a_file_of_gigabytes_is_not_read(tmp_path: Path, name: str) -> None:
    with (tmp_path / name).open("wb") as file:
        file.truncate(4 << 30)  # a sparse file
    with bounded(), suppress(BundleError):
        READERS[name](tmp_path / name)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
def test_a_pipe_among_a_models_files_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "weights.safetensors")
    bundle = Bundle(tmp_path, "x", "fomm", 64, {}, "MIT", {"weights.safetensors": HASH})
    with bounded(), pytest.raises(BundleError, match="cannot be read"):
        bundle.verify()


def test_one_bad_bundle_hides_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("avatar_app.bundles.bundle.model_folders", lambda: [tmp_path])
    for name, content in (("bad", b"[" * 100_000), ("good", as_json(BUNDLE))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_bytes(content)
    assert [bundle.name for bundle in list_bundles()] == ["good"]
