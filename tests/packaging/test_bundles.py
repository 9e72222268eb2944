"""The parts of packaging/ that need neither network nor minutes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import licences
import linux_bundle
import macos_bundle
import make
import pytest
import site_folder
import steps
import windows_bundle

from avatar_app import __version__
from avatar_app.outputs.virtual_cameras import OPTIONS
from tests.packaging.test_packages import ROOT, packages, pins

PACKAGING = ROOT / "packaging"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The smallest tree that the packers accept."""
    root = tmp_path / "tree"
    touch(root / linux_bundle.PLACE, "avatar-app", "python/bin/python3")
    (root / linux_bundle.PLACE / "python").chmod(0o700)
    return root


def test_the_lock_is_that_of_a_plain_installation_without_opencvs_windows() -> None:
    locked = packages(site_folder.LOCK)
    wanted = {
        name: version.partition(";")[0].strip("= ")
        for name, version in pins("\n".join(site_folder.requirements())).items()
    }
    assert "opencv-python-headless" in wanted and "opencv-python" not in locked
    assert {name: locked.get(name) for name in wanted} == wanted
    for block in site_folder.LOCK.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        assert "==" in block and "--hash=sha256:" in block, block


def test_what_no_call_uses_is_left_out(tmp_path: Path) -> None:
    qt = (
        "PySide6/__init__.py",
        "PySide6/QtGui.abi3.so",
        "PySide6/libpyside6.abi3.so.6.11",
        "PySide6/Qt/lib/libQt6Gui.so.6",
    )
    plugins = ("platforms/libqxcb.so", "platforms/libqoffscreen.so", "imageformats/libqsvg.so")
    kept: tuple[str, ...] = (
        *qt,
        *(f"PySide6/Qt/plugins/{name}" for name in plugins),
        "PySide6/Qt/translations/qtbase_ru.qm",
    )
    kept += ("numpy/__init__.py", "PySide6/Qt/lib/libicuuc.so.73", "onnxruntime/capi/x.so", "av/codec.py")
    kept += ("bin/uv", "bin/uv.exe")
    kept += ("_sounddevice_data/portaudio-binaries/libportaudio64bit.dll",)
    dropped: tuple[str, ...] = (
        "numpy/tests/test_a.py",
        "numpy/__init__.pyi",
        "bin/tqdm",
        "bin/uvx",
        "bin/uvw.exe",
        "_sounddevice_data/portaudio-binaries/libportaudio64bit-asio.dll",
        "_sounddevice_data/portaudio-binaries/libportaudioarm64.dll",
        "cv2/data/haar.xml",
        "onnxruntime/tools/a.py",
    )
    dropped += (
        "PySide6/QtQml.abi3.so",
        "PySide6/QtOpenGL.abi3.so",
        "PySide6/designer",
        "PySide6/Qt/qml/a.qml",
    )
    dropped += ("PySide6/Qt/lib/libQt6Quick.so.6", "PySide6/Qt/plugins/platforms/libqvnc.so", "bin/tqdm")
    dropped += ("PySide6/Qt/translations/qtbase_de.qm", "PySide6/Qt/plugins/sqldrivers/libqsqlite.so")
    touch(tmp_path, *kept, *dropped)
    site_folder.prune(tmp_path)
    assert left(tmp_path) == set(kept)


def test_windows_keeps_its_libraries_in_one_folder(tmp_path: Path) -> None:
    kept: tuple[str, ...] = (
        "QtGui.pyd",
        "Qt6Gui.dll",
        "Qt6Core.dll",
        "pyside6.abi3.dll",
        "msvcp140.dll",
        "plugins/platforms/qwindows.dll",
    )
    kept += ("translations/qtbase_ru.qm", "plugins/styles/qmodernwindowsstyle.dll")
    dropped: tuple[str, ...] = (
        "QtQml.pyd",
        "Qt6Qml.dll",
        "opengl32sw.dll",
        "designer.exe",
        "qml/a.qml",
        "translations/qtbase_de.qm",
    )
    touch(tmp_path / "PySide6", *kept, *dropped)
    site_folder.prune(tmp_path)
    assert left(tmp_path / "PySide6") == set(kept)


def describe(site: Path, name: str, lines: str) -> None:
    touch(site, f"{name}-1.0.dist-info/METADATA")
    folder = site / f"{name}-1.0.dist-info"
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{lines}\n")
    (folder / "LICENSE").write_text(f"the words of {name}")
    (folder / "RECORD").write_text(f"{folder.name}/LICENSE,,\n{folder.name}/METADATA,,\n")


def test_every_package_is_named_with_its_licence(tmp_path: Path) -> None:
    describe(tmp_path, "av", "License-Expression: BSD-3-Clause\n")
    describe(tmp_path, "pyvirtualcam", "License: GPLv2\n")
    describe(tmp_path, "numpy", "Classifier: License :: OSI Approved :: BSD License\n")
    describe(tmp_path, "avatar-app", "License-Expression: MIT\n")
    page, whole = licences.summary(tmp_path, "3.13.2"), licences.whole_text(tmp_path, "3.13.2")
    for line in ("numpy 1.0: BSD License", "pyvirtualcam 1.0: GPL-2.0-only", "Python 3.13.2: PSF-2.0"):
        assert line in page
    assert "x265" in page and "GNU General Public License" in page and "MIT License" in page
    assert "the words of numpy" in whole and "the words of numpy" not in page
    bill = json.loads(licences.bill_of_materials(tmp_path, "3.13.2"))
    assert {part["purl"] for part in bill["components"]} == {
        "pkg:generic/python@3.13.2",
        "pkg:pypi/av@1.0",
        "pkg:pypi/pyvirtualcam@1.0",
        "pkg:pypi/numpy@1.0",
    }


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
def test_the_debian_package_belongs_to_root_and_asks_for_what_qt_needs(tree: Path, tmp_path: Path) -> None:
    made = linux_bundle.build_deb(tree, tmp_path, quick=True)
    assert made.name == f"avatar-app_{__version__}_amd64.deb"
    show = subprocess.run(["dpkg-deb", "--info", made], capture_output=True, text=True, check=True).stdout
    assert "libxcb-cursor0" in show and "Recommends: v4l2loopback-dkms" in show and " postrm " in show
    listed = subprocess.run(
        ["dpkg-deb", "--contents", made], capture_output=True, text=True, check=True
    ).stdout
    lines = [line.split(maxsplit=5) for line in listed.splitlines()]
    assert {line[1] for line in lines} == {"root/root"}
    modes = {line[5]: line[0] for line in lines}
    assert modes["./opt/avatar-app/avatar-app"] == "-rwxr-xr-x"
    assert modes["./opt/avatar-app/python/"] == "drwxr-xr-x"
    assert not (tree / "DEBIAN").exists()


def test_the_appdir_can_be_started_from_anywhere(tree: Path, tmp_path: Path) -> None:
    linux_bundle.finish_desktop(tree)
    folder = linux_bundle.build_appdir(tree, tmp_path / "App.AppDir")
    program = folder / linux_bundle.PLACE / "avatar-app"
    program.write_text('#!/bin/sh\necho "started $*"\n')
    program.chmod(0o755)
    for start in (folder / "AppRun", folder / "usr/bin/avatar-app"):
        done = subprocess.run([start, "doctor"], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stdout == "started doctor\n"
    assert (folder / ".DirIcon").read_bytes().startswith(b"\x89PNG")
    assert (folder / "avatar-app.desktop").is_file()


def test_the_packages_camera_is_the_one_that_the_app_sets_up() -> None:
    script = (PACKAGING / "linux" / "postinst").read_text()
    assert f"options v4l2loopback {OPTIONS}" in script
    removal = (PACKAGING / "linux" / "postrm").read_text()
    for file in ("/etc/modprobe.d/avatar-app.conf", "/etc/modules-load.d/avatar-app.conf"):
        assert file in script and file in removal


@pytest.mark.parametrize("name", ["config", "postinst", "postrm", "start", "AppRun", "try", "appimage"])
def test_scripts_are_programs_without_mistakes_of_grammar(name: str) -> None:
    path = PACKAGING / "linux" / name
    assert os.access(path, os.X_OK)
    subprocess.run(["sh", "-n", path], check=True)


@pytest.mark.parametrize("name", ["try", "appimage"])
def test_scripts_say_what_they_lack(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [PACKAGING / "linux" / name, tmp_path / "none"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and "make.py" in line


@pytest.mark.skipif(not shutil.which("makensis"), reason="makensis is not installed")
def test_the_installer_for_windows_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "windows"
    touch(small, "python.exe", "pythonw.exe", "avatar-app.cmd")
    describe(small / "site", "numpy", "License: BSD\n")
    windows_bundle.write_icon(small)
    made = windows_bundle.build_installer(small, tmp_path, tmp_path, quick=True)
    assert made.read_bytes()[:2] == b"MZ" and made.name == f"avatar-app-{__version__}-setup.exe"


def test_macos_is_told_why_the_camera_is_used(tmp_path: Path) -> None:
    macos_bundle.write_frame(tmp_path)
    text = (tmp_path / "Info.plist").read_text()
    assert "<key>NSCameraUsageDescription</key>" in text and f"<string>{__version__}</string>" in text
    assert (tmp_path / "Resources" / "avatar.icns").read_bytes().startswith(b"icns")
    assert os.access(tmp_path / "MacOS" / "avatar-app", os.X_OK)


@pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("patchelf"), reason="patchelf is not installed"
)
def test_the_copied_python_needs_nothing_of_the_place_it_came_from(tmp_path: Path) -> None:
    import interpreter

    interpreter.copy_python(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / "second")
    code = (
        "import ctypes, lzma, multiprocessing, socket, sqlite3, ssl, sys, zlib; print(sys.prefix, *sys.path)"
    )
    done = subprocess.run(
        [tmp_path / "second/bin/python3", "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={},
    )
    assert all(path.startswith(str(tmp_path / "second")) for path in done.stdout.split())
    linked = subprocess.run(
        ["ldd", tmp_path / "second/bin/python3"], capture_output=True, text=True, check=True
    ).stdout
    assert not re.search(r"libpython.*=> (?!" + re.escape(str(tmp_path)) + ")", linked)


def test_wrong_input_ends_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = ["--output", str(tmp_path / "dist"), "--work", str(tmp_path / "work")]
    assert make.main(["sums", *places]) == 2
    assert "There is nothing in" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert make.main(["lock", *places]) == 2
    assert (
        capsys.readouterr().err
        == "error: The program uv is missing: install it with `python -m pip install uv`.\n"
    )
    (tmp_path / "file").write_text("")
    assert make.main(["sums", "--output", str(tmp_path / "file"), "--work", str(tmp_path / "work")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_program_that_fails_is_named_with_its_last_words() -> None:
    with pytest.raises(steps.Failure, match=r"has failed: no such luck$"):
        steps.run(sys.executable, "-c", "import sys; sys.exit('so far so good\\nno such luck')")


def test_sums_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "a.deb").write_text("a")
    (tmp_path / "b.exe").write_text("b")
    for _ in range(2):  # without the checksums themselves
        assert make.main(["sums", "--output", str(tmp_path), "--work", str(tmp_path / "work")]) == 0
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == ["a.deb", "b.exe"]


def test_the_release_runs_the_scripts_that_are_there() -> None:
    text = (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")
    for script in re.findall(r"packaging/[\w./]+", text):
        if not script.endswith("/"):
            assert (ROOT / script).is_file(), script
    for task in re.findall(r"packaging/make\.py (\w+)", text):
        assert task in make.TASKS
