"""Bundles are found, checked, written whole, and imported from original checkpoints."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from avatar_app.bundles import bundle as bundles
from avatar_app.bundles.bundle import (
    Bundle,
    list_bundles,
    open_bundle,
    read_bundle,
    write_bundle,
)
from avatar_app.errors import AvatarError, BundleError, ConfigError
from avatar_app.onnx_export import import_checkpoint as importing
from avatar_app.onnx_export.import_checkpoint import import_checkpoint
from tests.support.originals import write_original


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The shipped and the user's models folders."""
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    monkeypatch.setattr(bundles, "model_folders", lambda: (shipped, own))
    monkeypatch.setattr(importing, "user_models", lambda: own)
    return shipped, own


def write(folder: Path, content: bytes = b"1", **changes: Any) -> Bundle:
    facts: dict[str, Any] = {"kind": "fomm", "size": 64, "config": {"a": 1}, "licence": "MIT"}

    def fill(new: Path) -> None:
        (new / "weights.safetensors").write_bytes(content)
        (new / "CARD.md").write_text("words")

    return write_bundle(folder, fill=fill, **(facts | changes))


def describe(folder: Path, **changes: Any) -> None:
    """Change the content of a description."""
    path = folder / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_was_written_is_read(places: tuple[Path, Path]) -> None:
    write(places[1] / "mine")
    bundle = open_bundle("mine")
    assert (bundle.name, bundle.kind, bundle.size, bundle.config, bundle.licence) == (
        "mine",
        "fomm",
        64,
        {"a": 1},
        "MIT",
    )
    assert bundle.file("weights.safetensors").read_bytes() == b"1"
    assert open_bundle(places[1] / "mine") == open_bundle(f"{places[1]}{os.sep}mine") == bundle
    with pytest.raises(BundleError, match=r"has no encode\.onnx"):
        bundle.file("encode.onnx")


def test_the_first_folder_with_the_name_wins(places: tuple[Path, Path]) -> None:
    for number, place in enumerate(places):
        write(place / "both", str(number).encode())
    write(places[1] / "another")
    assert open_bundle("both").folder == places[0] / "both"
    assert [bundle.name for bundle in list_bundles()] == ["another", "both"]
    assert list_bundles()[1].folder == places[0] / "both"


@pytest.mark.parametrize("name", ["nope", "", "..", "."])
def test_an_unknown_name_lists_the_known(places: tuple[Path, Path], name: str) -> None:
    write(places[0] / "lite")
    write(places[0] / "faces", kind="faces")
    with pytest.raises(BundleError) as caught:
        open_bundle(name)
    assert repr(name) in caught.value.message
    assert caught.value.hint == "Known models: lite."


def test_a_folder_without_a_bundle_is_refused(places: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle\.json"):
        open_bundle(tmp_path)


def test_damage_is_named(places: tuple[Path, Path]) -> None:
    folder = write(places[0] / "lite").folder
    (folder / "CARD.md").write_text("the card may be edited")
    open_bundle("lite")
    (folder / "weights.safetensors").write_bytes(b"2")
    with pytest.raises(BundleError, match=r"weights\.safetensors is damaged"):
        open_bundle("lite")
    (folder / "weights.safetensors").unlink()
    with pytest.raises(BundleError, match=r"incomplete: .*weights\.safetensors is missing"):
        open_bundle("lite")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "it is not JSON"),
        ("\x00\xff", "it is not JSON"),
        ("[]", "format version None"),
        ('{"format": 99}', "format version 99"),
        ('{"format": 1}', "KeyError 'files'"),
        ('{"format": 1, "files": []}', "AttributeError|TypeError"),
    ],
)
def test_a_senseless_description_is_refused(places: tuple[Path, Path], text: str, words: str) -> None:
    folder = write(places[0] / "lite").folder
    (folder / "bundle.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=words):
        open_bundle("lite")
    assert list_bundles() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"files": {"../../secret": {"sha256": "0"}}}, "leaves the folder"),
        ({"files": {"/etc/passwd": {"sha256": "0"}}}, "leaves the folder"),
        ({"kind": "pickle"}, "unknown kind 'pickle'"),
        ({"size": -1}, "impossible size -1"),
        ({"size": "256"}, "impossible size"),
        ({"config": 3}, "config is no mapping"),
    ],
)
def test_an_impossible_value_is_named(places: tuple[Path, Path], changes: dict[str, Any], words: str) -> None:
    folder = write(places[0] / "lite").folder
    describe(folder, **changes)
    with pytest.raises(BundleError, match=words):
        read_bundle(folder)


def test_a_bundle_is_there_completely_or_not_at_all(places: tuple[Path, Path]) -> None:
    def fail(new: Path) -> None:
        (new / "half").write_bytes(b"1")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_bundle(places[1] / "mine", kind="fomm", size=64, config={}, licence="MIT", fill=fail)
    assert list(places[1].iterdir()) == []


def test_an_existing_bundle_is_replaced_only_on_request(places: tuple[Path, Path]) -> None:
    write(places[1] / "mine", b"old")
    with pytest.raises(BundleError, match="already"):
        write(places[1] / "mine", b"new")
    write(places[1] / "mine", b"new", overwrite=True)
    assert open_bundle("mine").file("weights.safetensors").read_bytes() == b"new"
    assert [path.name for path in places[1].iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "file" / "mine")


def test_an_original_checkpoint_becomes_a_bundle(places: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, configuration = write_original(tmp_path)
    imported = import_checkpoint(checkpoint, configuration, "mine", licence="CC0", align_corners=False)
    bundle = open_bundle("mine")
    assert bundle == imported
    graphs = ("encode", "detect", "render", "pose_card", "render_card")
    assert bundle.hashes.keys() == {"weights.safetensors", *(f"{name}.onnx" for name in graphs)}
    assert (bundle.size, bundle.licence, bundle.config["align_corners"]) == (64, "CC0", False)
    assert (bundle.folder / "weights.safetensors").stat().st_mode & 0o044 == 0o044
    with pytest.raises(BundleError, match="already"):
        import_checkpoint(checkpoint, configuration, "mine")


class Bomb:
    """Pickles to a call that creates a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_that_would_run_code_does_not(places: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, configuration = write_original(tmp_path)
    torch.save({"generator": Bomb(tmp_path / "boom"), "kp_detector": {}}, checkpoint)
    with pytest.raises(BundleError, match="could run code"):
        import_checkpoint(checkpoint, configuration, "mine")
    assert not (tmp_path / "boom").exists()
    assert not places[1].exists()


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_checkpoint_is_refused(places: tuple[Path, Path], tmp_path: Path, share: float) -> None:
    checkpoint, configuration = write_original(tmp_path)
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(BundleError, match=r"tiny\.pth\.tar"):
        import_checkpoint(checkpoint, configuration, "mine")
    assert not places[1].exists()


@pytest.mark.parametrize("content", [b"not a checkpoint", b"PK\x03\x04 nor a zip"])
def test_another_file_is_refused(places: tuple[Path, Path], tmp_path: Path, content: bytes) -> None:
    checkpoint, configuration = write_original(tmp_path)
    checkpoint.write_bytes(content)
    with pytest.raises(BundleError, match="not a PyTorch checkpoint"):
        import_checkpoint(checkpoint, configuration, "mine")


@pytest.mark.parametrize(
    "content", [[1, 2], {"generator": {}}, {"generator": {}, "kp_detector": 3}, {"state_dict": {}}]
)
def test_another_networks_checkpoint_is_refused(
    places: tuple[Path, Path], tmp_path: Path, content: Any
) -> None:
    checkpoint, configuration = write_original(tmp_path)
    torch.save(content, checkpoint)
    with pytest.raises(BundleError, match=r"not a checkpoint|lacks the weight"):
        import_checkpoint(checkpoint, configuration, "mine")


def test_a_configuration_of_another_checkpoint_is_told(places: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, configuration = write_original(tmp_path)
    configuration.write_text(configuration.read_text().replace("num_kp: 4", "num_kp: 5"))
    with pytest.raises(BundleError, match="has the shape"):
        import_checkpoint(checkpoint, configuration, "mine")
    configuration.write_text(
        configuration.read_text().replace("num_bottleneck_blocks: 1", "num_bottleneck_blocks: 2")
    )
    with pytest.raises(BundleError, match=r"lacks the weight bottleneck\.r1"):
        import_checkpoint(checkpoint, configuration, "mine")


def test_missing_and_garbled_files_are_told(places: tuple[Path, Path], tmp_path: Path) -> None:
    checkpoint, configuration = write_original(tmp_path)
    with pytest.raises(BundleError, match="no such file"):
        import_checkpoint(tmp_path / "nope", configuration, "mine")
    with pytest.raises(ConfigError, match="no such file"):
        import_checkpoint(checkpoint, tmp_path / "nope", "mine")
    configuration.write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        import_checkpoint(checkpoint, configuration, "mine")


@pytest.mark.parametrize(
    "name",
    ["", "../mine", "a/b", ".hidden", "-x", "a b", "ü", "x" * 65, "con.", "CON", "nul.txt", "Lpt1", "aux"],
)
def test_names_that_are_no_folders_are_refused(places: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    with pytest.raises(AvatarError, match="cannot be called"):
        import_checkpoint(tmp_path, tmp_path, name)


@pytest.mark.parametrize("name", ["lite", "faces"])
def test_names_of_models_that_came_with_the_app_are_taken(
    places: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A model of the same name would replace the app's own."""
    shipped = tmp_path / "shipped"
    (shipped / name).mkdir(parents=True)
    monkeypatch.setattr("avatar_app.onnx_export.import_checkpoint.model_folders", lambda: [shipped])
    with pytest.raises(BundleError, match="already"):
        import_checkpoint(tmp_path / "x.pth.tar", tmp_path / "x.yaml", name)
