"""The app for Linux: one tree with Python and all packages, as a Debian package and as an AppDir."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import sys
import time
from pathlib import Path

from interpreter import compile_all, copy_python
from licences import bill_of_materials, whole_text
from site_folder import fill, prune
from steps import HERE, ROOT, Failure, System, fresh, program, run, size, version

DATA = HERE / "linux"
PLACE = Path("opt/avatar-app")
ICONS = ROOT / "assets" / "icons"
ENTRY = ICONS / "avatar-app.desktop"
ICON_SIDES = (64, 128, 256, 512)

SYSTEM = System("linux", "x86_64-manylinux_2_36", f"{sys.version_info.major}.{sys.version_info.minor}")
"""The C library of Debian 12; that of Ubuntu 24.04 is newer."""

DEPENDS = (
    *("libc6 (>= 2.36)", "libstdc++6", "debconf (>= 0.5) | debconf-2.0", "libegl1", "libgl1", "libdbus-1-3"),
    *(
        "libfontconfig1",
        "libfreetype6",
        "libglib2.0-0 | libglib2.0-0t64",
        "libxkbcommon0",
        "libxkbcommon-x11-0",
    ),
    *("libx11-6", "libx11-xcb1", "libxcb1", "libxcb-cursor0", "libxcb-icccm4", "libxcb-image0"),
    *("libxcb-keysyms1", "libxcb-randr0", "libxcb-render0", "libxcb-render-util0", "libxcb-shape0"),
    *("libxcb-shm0", "libxcb-sync1", "libxcb-util1", "libxcb-xfixes0", "libxcb-xkb1", "libwayland-client0"),
    *("libwayland-cursor0", "libwayland-egl1", "zlib1g"),
)
"""System libraries that Qt and the packages need; with them `ldd` reports nothing missing."""
RECOMMENDS = ("v4l2loopback-dkms", "gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-pipewire")
"""The two kinds of virtual camera."""

CONTROL = """Package: avatar-app
Version: {version}
Architecture: amd64
Maintainer: the Avatar App authors <avatar-app@localhost>
Installed-Size: {size}
Depends: {depends}
Recommends: {recommends}
Section: video
Priority: optional
Description: photo that moves with your face, in any video call
 Reads your webcam, gives a photo your head movements, mouth, eyes and brows,
 and offers the result as a camera that video calls can choose. No graphics
 card and no account; no picture leaves the computer.
"""


def build_tree(root: Path, work: Path) -> None:
    """All installed files, below ``root`` as below ``/``."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Failure("The Linux bundle is made on Linux for x86-64: run this there.")
    place = fresh(root) / PLACE
    site = copy_python(place / "python")
    fill(site, SYSTEM, work)
    prune(site)
    compile_all(place / "python" / "lib")
    shutil.copy2(DATA / "start", place / "avatar-app")
    documents = root / "usr/share/doc/avatar-app"
    documents.mkdir(parents=True)
    (documents / "copyright").write_text(whole_text(site, platform.python_version()), encoding="utf-8")
    (documents / "sbom.cdx.json").write_text(bill_of_materials(site, platform.python_version()))
    finish_desktop(root)


def finish_desktop(root: Path) -> None:
    """Add the desktop files: entry, description, icons, and the command."""
    programs, entries = root / "usr/bin", root / "usr/share/applications"
    metainfo = root / "usr/share/metainfo"
    for folder in (programs, entries, metainfo):
        folder.mkdir(parents=True)
    (programs / "avatar-app").symlink_to(f"/{PLACE}/avatar-app")
    shutil.copy2(ENTRY, entries)
    about = (DATA / "avatar-app.metainfo.xml").read_text(encoding="utf-8")
    about = about.replace("@VERSION@", version()).replace(
        "@DATE@", time.strftime("%Y-%m-%d", time.gmtime(date()))
    )
    (metainfo / "avatar-app.metainfo.xml").write_text(about, encoding="utf-8")
    from PIL import Image

    with Image.open(ICONS / "avatar-app-512.png") as icon:
        for side in ICON_SIDES:
            folder = root / f"usr/share/icons/hicolor/{side}x{side}/apps"
            folder.mkdir(parents=True)
            icon.resize((side, side), Image.Resampling.LANCZOS).save(folder / "avatar-app.png")


def date() -> int:
    """Time stamp of a bundle's files in seconds since 1970, from the environment variable if it is set."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))


def build_deb(root: Path, output: Path, quick: bool) -> Path:
    """Pack the tree as a Debian package."""
    packer = program("dpkg-deb", "the package dpkg")
    control = fresh(root / "DEBIAN")
    files = sorted(path for path in root.rglob("*") if path.is_file() and "DEBIAN" not in path.parts)
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(root)}"
        for path in files
        if not path.is_symlink()
    ]
    (control / "md5sums").write_text("\n".join(sums) + "\n")
    fields = {"depends": ", ".join(DEPENDS), "recommends": ", ".join(RECOMMENDS)}
    text = CONTROL.format(version=version(), size=size(root) // 1024, **fields)
    (control / "control").write_text(text)
    for name in ("config", "postinst", "postrm", "templates"):
        shutil.copy2(DATA / name, control / name)
        (control / name).chmod(0o644 if name == "templates" else 0o755)
    (root / PLACE / "avatar-app").chmod(0o755)
    for path in [root, *root.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    target = output / f"avatar-app_{version()}_amd64.deb"
    variables = os.environ | {"SOURCE_DATE_EPOCH": str(date())}
    level = "-z3" if quick else "-z19"
    run(packer, "--root-owner-group", "-Zzstd", level, "--build", root, target, variables=variables)
    shutil.rmtree(control)
    return target


def build_appdir(root: Path, target: Path) -> Path:
    """The same tree with the files that `appimagetool` requires at its top."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root, target, symlinks=True, ignore=shutil.ignore_patterns("DEBIAN"))
    link = target / "usr/bin/avatar-app"
    link.unlink()
    link.symlink_to(f"../../{PLACE}/avatar-app")
    shutil.copy2(DATA / "AppRun", target / "AppRun")
    (target / "AppRun").chmod(0o755)
    shutil.copy2(ENTRY, target)
    shutil.copy2(target / "usr/share/icons/hicolor/256x256/apps/avatar-app.png", target)
    (target / ".DirIcon").symlink_to("avatar-app.png")
    return target
