"""The app for macOS: a signed .app with Python and all packages inside, in a disk image.

Runs on macOS, with a relocatable Python, such as that of `uv python install`. The signature is ad hoc:
macOS asks the user to allow the app in the system settings. To sign with a certificate of Apple's, name it
in ``AVATAR_SIGN``.
"""

from __future__ import annotations

import os
import platform
import plistlib
import shutil
import sys
from pathlib import Path
from typing import Any

from interpreter import compile_all, copy_python
from licences import bill_of_materials, whole_text
from site_folder import fill, prune
from steps import ROOT, Failure, System, fresh, program, run, version

ICON = ROOT / "assets" / "icons" / "avatar-app-512.png"
OLDEST = "14.0"
SYSTEM = System("macos", "aarch64-apple-darwin", f"{sys.version_info.major}.{sys.version_info.minor}")

START = """#!/bin/sh
# The app with its own Python, which sees no package but those that came with it.
here=$(cd "$(dirname "$0")/.." && pwd)
exec "$here/Resources/python/bin/python3" -I -X utf8 -m avatar_app "$@"
"""


def build_app(output: Path, work: Path) -> Path:
    """Make ``Avatar.app``."""
    if (platform.system(), platform.machine()) != ("Darwin", "arm64"):
        raise Failure("The macOS bundle is made on a Mac with Apple silicon: run this there.")
    contents = fresh(output / "Avatar.app") / "Contents"
    resources, programs = contents / "Resources", contents / "MacOS"
    programs.mkdir(parents=True)
    site = copy_python(resources / "python")
    os.environ["MACOSX_DEPLOYMENT_TARGET"] = OLDEST  # uv selects wheels by this
    fill(site, SYSTEM, work)
    prune(site)
    compile_all(resources / "python" / "lib")
    write_frame(contents)
    (resources / "LICENCES.txt").write_text(whole_text(site, platform.python_version()), encoding="utf-8")
    (resources / "sbom.cdx.json").write_text(bill_of_materials(site, platform.python_version()))
    identity = os.environ.get("AVATAR_SIGN", "-")
    run(
        program("codesign", "Xcode's command line tools"),
        "--force",
        "--deep",
        "--sign",
        identity,
        contents.parent,
    )
    return contents.parent


def write_frame(contents: Path) -> None:
    """Write the files that macOS reads: description, program and icon."""
    from PIL import Image

    for folder in ("MacOS", "Resources"):
        (contents / folder).mkdir(parents=True, exist_ok=True)
    (contents / "Info.plist").write_bytes(plistlib.dumps(description()))
    start = contents / "MacOS" / "avatar-app"
    start.write_text(START)
    start.chmod(0o755)
    with Image.open(ICON) as icon:
        icon.save(contents / "Resources" / "avatar.icns")


def description() -> dict[str, Any]:
    """Info.plist. Without its sentence about the camera, macOS ends the app when it opens one."""
    return {
        "CFBundleIdentifier": "avatar-app",
        "CFBundleName": "Avatar",
        "CFBundleDisplayName": "Avatar",
        "CFBundleExecutable": "avatar-app",
        "CFBundleIconFile": "avatar.icns",
        "CFBundlePackageType": "APPL",
        "CFBundleShortVersionString": version(),
        "CFBundleVersion": version(),
        "CFBundleDevelopmentRegion": "en",
        "CFBundleLocalizations": ["en", "ru"],
        "LSApplicationCategoryType": "public.app-category.video",
        "LSMinimumSystemVersion": OLDEST,
        "NSMicrophoneUsageDescription": "Your voice is recorded with the avatar, where you ask for it.",
        "NSCameraUsageDescription": "Your face moves the avatar. No camera picture leaves this computer.",
        "NSHighResolutionCapable": True,
    }


def build_image(app: Path, output: Path, work: Path) -> Path:
    """Put the app into a disk image, beside a link to the Applications folder."""
    content = fresh(work / "image")
    shutil.move(app, content / app.name)
    (content / "Applications").symlink_to("/Applications")
    target = output / f"avatar-app-{version()}-arm64.dmg"
    words = ("create", "-volname", "Avatar", "-srcfolder", content, "-format", "ULMO", "-ov", target)
    run(program("hdiutil", "macOS"), *words)
    return target
