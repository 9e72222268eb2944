"""The app and its packages as a folder of unmodified wheels, without the parts that a call does not need."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from steps import HERE, ROOT, Failure, System, fresh, run, uv

LOCK = HERE / "bundle.lock"
"""Versions and hashes of all packages in a bundle, for all systems."""

HEADLESS = ("opencv-python==", "opencv-python-headless==")
"""OpenCV's windows would bring a second Qt; the app has its own."""

UV = 'uv==0.13.9; sys_platform != "darwin"'
"""Downloads PyTorch for NVIDIA cards (avatar_app.cuda); not needed on a Mac."""

NOT_USED = (
    "**/__pycache__",
    "**/tests",
    "bin/[!u]*",
    "bin/uv[wx]*",
    "*.whl",
    "_sounddevice_data/portaudio-binaries/*32bit*",
    "_sounddevice_data/portaudio-binaries/*arm64*",
    "_sounddevice_data/portaudio-binaries/*-asio.dll",
    "cv2/data",
    "numpy/f2py",
    "numpy/_core/include",
    "numpy/_core/lib",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "**/*.pyi",
    "**/*.lib",
)

QT_MODULES = ("Core", "Gui", "Svg", "Widgets")
QT_LIBRARIES = (*QT_MODULES, "DBus", "OpenGL", "WaylandClient", "WlShellIntegration", "XcbQpa")
QT_PLUGINS = {
    "iconengines": ("svg",),
    "imageformats": ("gif", "ico", "jpeg", "svg", "webp"),
    "platforminputcontexts": ("compose", "ibus"),
    "platforms": ("cocoa", "offscreen", "wayland", "windows", "xcb"),
    "platformthemes": ("xdgdesktopportal",),
    "styles": ("mac", "modernwindows"),
    "wayland-decoration-client": ("adwaita", "bradient"),
    "wayland-graphics-integration-client": ("wayland-egl",),
    "wayland-shell-integration": ("xdg-shell",),
    "xcbglintegrations": ("egl", "glx"),
}
QT_LANGUAGES = ("qtbase_en", "qtbase_ru")
QT_PYTHON = (
    "__init__.py",
    "_config.py",
    "_git_pyside_version.py",
    "py.typed",
    "support",
    "Qt",
    "plugins",
    "translations",
)


def requirements() -> list[str]:
    """The requirements of setup.cfg, with the OpenCV without windows, and uv."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["options"]["install_requires"].split("\n")
    return [*(line.replace(*HEADLESS) for line in lines if line), UV]


def write_lock(work: Path) -> None:
    """Rewrite ``bundle.lock``."""
    work.mkdir(parents=True, exist_ok=True)
    wanted = work / "bundle.in"
    wanted.write_text("\n".join(requirements()) + "\n")
    options = ("--universal", "--generate-hashes", "--python-version", "3.11")
    run(uv(), "pip", "compile", *options, "--no-header", "--no-annotate", wanted, "-o", LOCK, cwd=work)


def app_wheel(work: Path) -> Path:
    """The app itself, built from its source package, so that no stray files get in."""
    run(uv(), "build", "--quiet", "--out-dir", fresh(work / "wheel"), ROOT)
    return next((work / "wheel").glob("*.whl"))


def fill(site: Path, system: System, work: Path) -> None:
    """Unpack the wheels that fit a system, each checked by its hash, and the app."""
    install = (uv(), "pip", "install", "--quiet", "--no-deps", "--target", fresh(site), "--link-mode", "copy")
    fits = ("--python-platform", system.platform, "--python-version", system.python)
    run(*install, *fits, "--only-binary", ":all:", "--require-hashes", "-r", LOCK)
    run(*install, *fits, app_wheel(work))
    (described,) = site.glob("avatar_app-*.dist-info")
    (described / "INSTALLER").write_text("avatar-app\n")  # avatar_app.extras: pip cannot add anything
    (site / ".lock").unlink(missing_ok=True)


def prune(site: Path) -> None:
    """Remove what a call does not need."""
    for pattern in NOT_USED:
        for path in [*site.glob(pattern)]:
            remove(path)
    qt = site / "PySide6"
    if not qt.is_dir():
        raise Failure(f"There is no PySide6 in {site}.")
    for path in [*_qt_not_used(qt)]:
        remove(path)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _qt_not_used(qt: Path) -> Iterator[Path]:
    inner = qt / "Qt" if (qt / "Qt").is_dir() else qt  # Windows has all in one folder
    for path in qt.iterdir():
        code = path.suffix == ".pyd" or ".abi3." in path.name
        if path.name not in QT_PYTHON and not _is_module(path.name) and (code or not _is_library(path.name)):
            yield path
    for path in (inner / "lib").glob("*"):
        if not _is_library(path.name):
            yield path
    for folder in inner.iterdir():
        if folder.name not in ("lib", "plugins", "translations") and inner != qt:
            yield folder
    for kind in (inner / "plugins").glob("*"):
        wanted = QT_PLUGINS.get(kind.name, ())
        yield from (
            path
            for path in kind.iterdir()
            if not any(part in path.name.lower().removeprefix("libq").removeprefix("q") for part in wanted)
        )
    for path in [*(inner / "translations").glob("*"), *(qt / "translations").glob("*")]:
        if path.stem not in QT_LANGUAGES:
            yield path


def _is_module(name: str) -> bool:
    """Python modules, such as QtGui.abi3.so and QtGui.pyd."""
    plain = name.partition(".")[0]
    return plain.removeprefix("Qt") in QT_MODULES or plain.removeprefix("lib") == "pyside6"


def _is_library(name: str) -> bool:
    """Libraries of Qt, such as libQt6Gui.so.6, Qt6Gui.dll and QtGui.framework, and those they depend on."""
    plain = name.removeprefix("lib")
    if plain.startswith("Qt"):
        return plain.partition(".")[0].removeprefix("Qt6").removeprefix("Qt") in QT_LIBRARIES
    return plain.startswith(("icu", "pyside6.", "shiboken6.", "msvcp", "vcruntime", "concrt"))
