"""The command line.

Chooses a sub-command, imports only that one, and turns errors into one line and an exit code.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import NoReturn

from avatar_app import __version__
from avatar_app.commands.printer import printable, say
from avatar_app.cuda.folder import join_path
from avatar_app.ending import ENDING, Ended, leave
from avatar_app.errors import AvatarError
from avatar_app.extras import require
from avatar_app.files import reason
from avatar_app.logs import log_to_file
from avatar_app.paths import user_log
from avatar_app.session.memory import require_memory, share_heap
from avatar_app.text import Text

COMMANDS = {
    "window": "the app itself: choose a photo, calibrate, join a call (also without any command)",
    "live": "the same without a window, for servers and scripts",
    "control": "recalibrate, pause and more in the running app, from another program",
    "doctor": "check whether a call works on this computer, and say what to do if not",
    "cuda": "download PyTorch for your NVIDIA card, or remove it",
    "demo": "animate the app's own photo and save demo.mp4",
    "animate": "animate any photo with the face in any clip",
    "models": "list, verify, import, download and compare models",
    "serve": "render for apps on other computers",
    "cluster": "the same for many people, on many computers, with Ray Serve",
    "bench": "measure the speed of a model on this computer",
    "evaluate": "measure how well a model reconstructs the clips of a data set",
    "compare": "train X2Face, Monkey-Net, FOMM and our model alike, and compare them",
}
"""Name -> description. Each is a module of ``avatar_app.commands`` with ``add_arguments(parser)`` and
``run(arguments) -> int``.
"""

TRAINING = ("bench", "compare", "evaluate")
"""Commands that need the packages of training, such as PyTorch."""

LIGHT = ("control", "cuda", "models")
"""Commands that load none of the large libraries at once."""

BUG = 1
USER_ERROR = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141

HINTS = {
    errno.ENOSPC: "Free some space, then try again.",
    errno.EMFILE: "Close other programs, or allow more open files (ulimit -n).",
    errno.EACCES: "Check the permissions.",
    errno.ENOENT: "Check that the current folder and the files that you name are still there.",
}
"""Hints for system errors that no other part explains."""

NO_MEMORY = ("failed to map segment", "annot allocate memory", "bad_alloc")
"""Messages of libraries for full memory, other than MemoryError."""

log = logging.getLogger(__name__)


class Parser(argparse.ArgumentParser):
    """Reports a wrong argument in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, printable(f"error: {message}. See: {self.prog} --help\n"))


def build_parser(chosen: str | None) -> tuple[Parser, ModuleType | None]:
    """Return the parser of all commands and the module of the chosen one.

    Only the chosen command is imported, and its arguments added: others may need libraries that take a second
    to load.
    """
    parser = Parser(prog="avatar-app", description="Animate a photo with the motion of a face in a video.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    module = None
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            if name in TRAINING:
                require("train", Text("The command {}", name))
            module = importlib.import_module(f"avatar_app.commands.{name}")
            module.add_arguments(command)
    return parser, module


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None reads the process's own, and ends the process with
            the command.

    Returns:
        The exit code: 0 done, 1 the command's own "no", 2 an error that the user can correct, 128 + the
        number of a signal.
    """
    return program() if argv is None else run(argv)


def program() -> NoReturn:
    """Run the process from its arguments to its exit code."""
    try:
        share_heap()  # before the first thread, which would get a heap of its own
        ENDING.listen()
        log_to_file(user_log())
        join_path()
        code = run_program(sys.argv[1:])
        ENDING.begin()
    except Ended as ended:
        code = ended.code
    leave(ENDING.code or code)


def run_program(argv: Sequence[str]) -> int:
    """Call ``run`` and return an exit code for every outcome, bugs included."""
    try:
        return run(argv)
    except SystemExit as leaving:  # argparse has printed help or an error
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except Ended:
        raise
    except BaseException:
        if ENDING.code is None:  # else a library has replaced the exception
            traceback.print_exc()
        return BUG


def run(argv: Sequence[str]) -> int:
    """Run one command in this process; errors become one line.

    Raises bugs, and SystemExit for ``--help``.
    """
    _print_anything()
    # Without a command the app itself opens; its options may stand alone.
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv = ["window", *argv]
    try:
        if argv[0] not in LIGHT:
            require_memory()
        parser, command = build_parser(argv[0])
        arguments = parser.parse_args(argv)
        assert command is not None  # the parser has rejected any other word
        code: int = command.run(arguments)
        if sys.stdout:
            # so that a closed pipe or a full disk shows here and not while Python shuts down
            sys.stdout.flush()
        return code
    except KeyboardInterrupt as interruption:
        return getattr(interruption, "code", INTERRUPTED)
    except BrokenPipeError:
        # The reader of the output has gone. Nothing more can be written, not even while Python flushes at
        # exit.
        _drop_output()
        return OUTPUT_CLOSED
    except (AvatarError, OSError, MemoryError, RuntimeError, ImportError) as problem:
        if ENDING.code is None:
            _say(f"error: {in_words(problem)}")
        return USER_ERROR


def in_words(problem: Exception) -> str:
    """Return one sentence on what happened and one on what to do.

    All but errors meant for the user are logged with their traceback.
    """
    if isinstance(problem, AvatarError):
        return str(problem)
    log.error("%s", type(problem).__name__, exc_info=problem)
    details = f"The log has the details: {user_log()}"
    if isinstance(problem, MemoryError) or any(words in str(problem) for words in NO_MEMORY):
        return "The memory that this program may use is full. Close other programs, or give it more."
    if isinstance(problem, OSError):
        if problem.errno == errno.ENAMETOOLONG:
            return f"The name {problem.filename} is too long. Name another file."
        about = f" with {problem.filename}" if problem.filename else ""
        return (
            f"The system reports a problem{about}: {reason(problem)}. "
            f"{HINTS.get(problem.errno or 0, details)}"
        )
    text = f"{type(problem).__name__}: {problem}".splitlines()[0].rstrip(": .")
    return f"The command stopped because of a fault: {text}. {details}"


def _say(text: str) -> None:
    """Print to stderr, if it can be written to."""
    with suppress(OSError, ValueError):
        say(text, error=True)


def _drop_output() -> None:
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_anything() -> None:
    """Print characters that the output cannot display as numbers.

    Finished work must not fail over its name, as it could in a file on Windows.
    """
    for stream in (sys.stdout, sys.stderr):  # each is None in a program without a console
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
