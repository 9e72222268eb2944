"""The app as a Windows program, under Wine, with Windows' own Python.

Runs only if ``AVATAR_WINDOWS`` names a folder made by ``tests.windows.prepare``; ``AVATAR_WINE`` is
the command that starts Wine 10 or newer, ``wine`` by default. There is no camera and no virtual camera, as
on a new computer.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from avatar_app.media.video import read_clip

ROOT = Path(__file__).parents[2]
FOLDER = os.environ.get("AVATAR_WINDOWS", "")
WINE = shlex.split(os.environ.get("AVATAR_WINE", "wine"))
PATIENCE = 300

pytestmark = pytest.mark.skipif(not FOLDER, reason="AVATAR_WINDOWS names no folder of tests.windows.prepare")


def run_in_windows(code: str) -> subprocess.CompletedProcess[str]:
    """Output and exit code of Windows' Python."""
    python = Path(FOLDER).absolute() / "python" / "python.exe"
    command = [*WINE, str(python), "-X", "utf8", "-c", code]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, errors="replace"
    )


def value_in_windows(code: str) -> Any:
    """The value of ``found`` after this code; it must be JSON."""
    done = run_in_windows(f"{code}\nimport json\nprint('found', json.dumps(found))")
    lines = [line for line in done.stdout.splitlines() if line.startswith("found ")]
    assert lines, done.stderr
    return json.loads(lines[-1].removeprefix("found "))


def app_in_windows(*words: str) -> subprocess.CompletedProcess[str]:
    path = "Z:" + str(ROOT / "run.py").replace("/", "\\")
    return run_in_windows(
        f"import runpy, sys; sys.argv = ['run.py', *{list(words)!r}]; runpy.run_path({path!r}, "
        f"run_name='__main__')"
    )


def test_it_is_windows() -> None:
    found = value_in_windows("import os, platform; found = [platform.system(), hasattr(os, 'uname')]")
    assert found == ["Windows", False]


def test_every_list_of_devices_is_made() -> None:
    found = value_in_windows(
        "import dataclasses\n"
        "from avatar_app.gui.device_lists import FAILED, look\n"
        "from avatar_app.gui.start import first_output\n"
        "seen = look()\n"
        "found = [dataclasses.asdict(seen), FAILED, first_output(seen)]"
    )
    lists, failed, first = found
    assert failed not in json.dumps(lists)
    assert lists["camera_problem"] == "" and lists["cameras"] == []
    assert "OBS Studio" in lists["virtual_problem"] and "only on Linux" in lists["pipewire_problem"]
    assert [model["value"] for model in lists["models"]] == ["lite"] and not lists["models"][0]["problem"]
    assert first == "none"


def test_doctor_says_what_is_missing() -> None:
    done = app_in_windows("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "on Windows" in checks["Python"]["found"]
    assert checks["Models"]["state"] == "ok"
    assert "OBS Studio" in checks["Virtual camera"]["todo"]
    assert "could not be checked" not in done.stdout and "Traceback" not in done.stderr


def test_settings_and_photos_in_folders_of_any_name() -> None:
    found = value_in_windows(
        "import shutil, tempfile\n"
        "from pathlib import Path\n"
        "from avatar_app.gui.settings import Settings, load_settings, save_settings\n"
        "from avatar_app.media.photo import read_portrait\n"
        "from avatar_app.paths import model_folders\n"
        "folder = Path(tempfile.mkdtemp()) / 'Привет 你好'\n"
        "folder.mkdir()\n"
        "save_settings(Settings().having(fps=25), folder / 'settings.json')\n"
        "photo = shutil.copy(model_folders()[0].parent / 'assets' / 'avatars' / 'anna.jpg', folder / "
        "'фото.jpg')\n"
        "found = [load_settings(folder / 'settings.json')[0].controls.fps, load_settings(folder / "
        "'settings.json')[1], "
        "read_portrait(photo).ndim]"
    )
    assert found == [25, [], 3]


def test_commands_reach_the_running_app() -> None:
    found = value_in_windows(
        "from avatar_app.control.server import ControlServer, send_command\n"
        "server = ControlServer(lambda command: {'message': command.upper()})\n"
        "server.start()\n"
        "found = send_command('status')\n"
        "server.close()"
    )
    assert found["message"] == "STATUS"


def test_a_clip_of_ten_frames_in_folders_of_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "Привет 你好"
    folder.mkdir()
    photo, clip = (ROOT / "assets" / name for name in ("avatars/anna.jpg", "driving.mp4"))
    result, drive = folder / "видео.mp4", "Z:{}".format
    words = ("--driving", drive(clip), "--end", "0.4", "--output", drive(result))
    done = app_in_windows("animate", "--avatar", drive(photo), *words)
    assert done.returncode == 0, done.stderr
    pictures = list(read_clip(result).frames())
    assert len(pictures) == 10
    assert all(picture.std() > 20 for picture in pictures)


GUIDE = """
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
def click():
    from avatar_app.gui.guide.guide import Guide
    guide = next((one for one in QApplication.topLevelWidgets() if isinstance(one, Guide)), None)
    if guide is None:
        from avatar_app.gui.main_window import MainWindow
        window = next(one for one in QApplication.topLevelWidgets() if isinstance(one, MainWindow))
        window.dialogs.open_guide()
        return QTimer.singleShot(0, click)
    for step in range(4):
        print('guide', guide.pages.currentIndex(), not guide.grab().isNull(), flush=True)
        guide.forward.click()
    print('guide done', guide.isHidden(), flush=True)
"""


def test_the_window_opens_shows_its_guide_and_ends() -> None:
    """And a second one, which finds the first, does not open."""
    path = "Z:" + str(ROOT / "run.py").replace("/", "\\")
    done = run_in_windows(
        "import os, runpy, subprocess, sys, threading, time\n"
        "os.environ['QT_QPA_PLATFORM'] = 'offscreen'\n"
        "from avatar_app.control.server import send_command\n"
        f"from avatar_app.errors import AvatarError\n{GUIDE}"
        "def end():\n"
        "    while True:\n"
        "        try:\n"
        "            print('said', send_command('status')['message'], flush=True)\n"
        "            break\n"
        "        except AvatarError:\n"
        "            time.sleep(0.2)  # until it runs\n"
        "    QTimer.singleShot(0, QApplication.instance(), click)\n"
        f"    command = [sys.executable, '-X', 'utf8', {path!r}]\n"
        "    second = subprocess.run(command, capture_output=True, text=True)\n"
        "    print('second', second.returncode, second.stdout, second.stderr, flush=True)\n"
        "    send_command('quit')\n"
        "threading.Thread(target=end, daemon=True).start()\n"
        "sys.argv = ['run.py']\n"
        f"runpy.run_path({path!r}, run_name='__main__')"
    )
    assert done.returncode == 0, done.stderr
    assert "said shows card" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert all(f"guide {step} True" in done.stdout for step in range(4))
    assert "guide done True" in done.stdout
    assert "second 0" in done.stdout
