"""The command line: one line per error, the right exit code, and no unnecessary imports."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from avatar_app import __version__, cli
from avatar_app.cli import main
from avatar_app.errors import AvatarError
from avatar_app.text import Text

ROOT = Path(__file__).parents[1]

StandIn = Callable[..., None]
"""Replaces the real commands with one that raises the given error."""


class Command:
    """Replaces a module of ``avatar_app.commands``."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error

    def add_arguments(self, parser: object) -> None:
        pass

    def run(self, arguments: object) -> int:
        if self._error:
            raise self._error
        return 1


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    def use(error: BaseException | None = None) -> None:
        monkeypatch.setitem(sys.modules, "avatar_app.commands.demo", Command(error))

    return use


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in cli.COMMANDS)


def test_help_keeps_the_capitals_of_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cuda", "install", "--help"])
    assert "PyTorch" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--source", "0"], ["window", "--source", "0"]])
def test_without_a_command_the_window_opens(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from avatar_app.commands import window

    opened: list[str | None] = []

    def run(arguments: argparse.Namespace) -> int:
        opened.append(arguments.source)
        return 0

    monkeypatch.setattr(window, "run", run)
    assert main(words) == 0
    assert opened == (["0"] if words else [None])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == f"avatar-app {__version__}"


def test_every_command_exists_and_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as caught:
            main([name, "--help"])
        assert caught.value.code == 0
        assert "options:" in capsys.readouterr().out


@pytest.mark.parametrize(
    "line", ["dance", "animate", "animate --size 1", "animate --best-frame -1", "demo --model"]
)
def test_wrong_arguments_take_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(line.split())
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert "--help" in printed.err


def test_user_error_takes_one_line(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in(AvatarError(Text("The door is closed."), Text("Open it.")))
    assert main(["demo"]) == 2
    assert capsys.readouterr() == ("", "error: The door is closed. Open it.\n")


def test_codes_of_commands_and_interruption(stand_in: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    stand_in()
    assert main(["demo"]) == 1
    stand_in(KeyboardInterrupt())
    assert main(["demo"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("line", ["models verify NAME", "demo --model NAME"])
def test_name_that_is_too_long_takes_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.replace("NAME", "n" * 300).split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: There is no model called ")
    assert printed.err.count("\n") == 1


def test_name_that_is_too_long_anywhere_takes_one_line(
    stand_in: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(OSError(errno.ENAMETOOLONG, "File name too long", "n" * 300))
    assert main(["demo"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: The name nnn")
    assert printed.err.count("\n") == 1


class Odd(OSError):
    """A system error without a message."""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/disk/film.mp4"),
            "with /disk/film.mp4: no space left on device",
        ),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), "current folder"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
        (Odd(), "odd"),
        (MemoryError(), "memory"),
        (ImportError("libx265.so: failed to map segment from shared object"), "memory"),
        (ImportError("No module named 'av'"), "No module named 'av'"),
        (
            RuntimeError("Could not determine home directory.\nand a page more"),
            "Could not determine home directory",
        ),
        (RecursionError("maximum recursion depth exceeded"), "recursion"),
    ],
)
def test_what_no_part_explains_takes_one_line_and_goes_to_the_log(
    error: Exception,
    said: str,
    stand_in: StandIn,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stand_in(error)
    assert main(["demo"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert said in printed.err
    assert caplog.records[-1].exc_info is not None


@pytest.mark.skipif(
    sys.platform != "linux", reason="removes the current folder, fills a device, limits memory"
)
@pytest.mark.parametrize(
    "shell",
    [
        "mkdir gone && cd gone && rmdir ../gone && {app} animate --avatar {photo} --driving {clip} --output "
        "x.mp4",
        "{app} models list >/dev/full",
        "ulimit -v 500000 && {app} animate --avatar {photo} --driving {clip} --output x.mp4",
        "{app} models verify '~nobody-of-this-name/model'",
    ],
    ids=["folder-gone", "full", "memory", "unknown-user"],
)
def test_rude_surroundings_take_one_line(shell: str, tmp_path: Path) -> None:
    assets = ROOT / "assets"
    line = shell.format(
        app=f"{sys.executable} {ROOT / 'run.py'}",
        photo=assets / "avatars" / "anna.jpg",
        clip=assets / "driving.mp4",
    )
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    for log in tmp_path.rglob("*.log"):
        assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="a shell that closes streams")
def test_closed_streams_are_no_error(tmp_path: Path) -> None:
    line = f"{sys.executable} {ROOT / 'run.py'} models list <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, check=False).returncode == 0


def test_what_parts_log_goes_to_the_log_and_not_to_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    said = (
        "import logging; logging.getLogger('avatar_app.session.stage').error('camera failed', "
        "exc_info=OSError('x'))"
    )
    with start(f"{said}; return 0") as process:
        assert process.communicate() == ("", "")
    if sys.platform == "linux":
        assert "camera failed" in (tmp_path / "avatar-app" / "avatar-app.log").read_text()


def test_bug_keeps_its_traceback(stand_in: StandIn) -> None:
    stand_in(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["demo"])


def start(code: str, encoding: str = "utf-8") -> subprocess.Popen[str]:
    """A process that runs ``main`` with a stand-in for the demo command.

    ``encoding`` is that of its output.
    """
    script = f"""
import sys, types
from avatar_app import cli
def run(arguments):
    {code}
sys.modules["avatar_app.commands.demo"] = types.SimpleNamespace(add_arguments=lambda parser: None, run=run)
sys.argv[1:] = ["demo"]
sys.exit(cli.main())
"""
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment,
    )


def test_letters_that_the_output_lacks_are_no_error() -> None:
    """As when Windows redirects the output to a file.

    The work is done, so the command must not fail because of a name.
    """
    with start(
        "print('\u0416.mp4: 6 frames'); print('note: \u0416', file=sys.stderr); return 0", "cp1252:strict"
    ) as process:
        assert process.communicate() == ("\\u0416.mp4: 6 frames\n", "note: \\u0416\n")
    assert process.returncode == 0


def test_a_program_without_a_console_ends_well() -> None:
    with start("sys.stdout = sys.stderr = None; return 0") as process:
        assert process.communicate() == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    "stop", [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
)
def test_stopped_from_outside(stop: signal.Signals) -> None:
    with start("print('ready', flush=True); import time; time.sleep(60)") as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(stop)
        assert process.communicate() == ("", "")
    assert process.returncode == 128 + stop


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("stop", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_stopped_while_the_first_modules_are_loaded(stop: str, tmp_path: Path) -> None:
    """The command line's own imports take a tenth of a second, many times that on a busy computer."""
    (tmp_path / "argparse.py").write_text(
        f"import os, signal, time\nos.kill(os.getpid(), signal.{stop})\ntime.sleep(60)\n"
    )
    code = "from avatar_app.__main__ import main; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (128 + getattr(signal, stop), "", "")


def test_reader_that_goes_away_is_no_error() -> None:
    with start("print('x' * 10**7); return 0") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_run_py_starts_without_heavy_libraries() -> None:
    start = "runpy.run_path('run.py', None, '__main__')"
    code = f"import runpy, sys; sys.argv[1:] = ['--help']; sys.modules.update(torch=None, cv2=None); {start}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "animate" in done.stdout
