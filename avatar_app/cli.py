"""The command line: picks a sub-command, imports only that one, and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from avatar_app import __version__
from avatar_app.errors import AvatarError
from avatar_app.session.memory import share_heap

COMMANDS = {
    "window": "the app itself: choose a photo, calibrate, join a call (also without any command)",
    "live": "the same without a window, for servers and scripts",
    "control": "recalibrate, pause and more in the running app, from another program",
    "doctor": "check this computer: would a call work, and if not, what to do",
    "demo": "animate the photo that comes with the app, into demo.mp4",
    "animate": "animate any photo with the face in any clip",
    "models": "list, check, import, fetch and compare models",
    "serve": "render for apps on other computers: key points come, pictures go",
    "bench": "measure the speed of a model on this computer",
    "evaluate": "measure how well a model rebuilds the clips of a data set",
    "compare": "train X2Face, Monkey-Net, FOMM and our model alike, and put them side by side",
}
"""Name -> what it does. Each is a module of ``avatar_app.commands`` with ``add_arguments(parser)`` and ``run(arguments) -> int``."""

USER_ERROR = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141


class Parser(argparse.ArgumentParser):
    """Says a wrong argument in one line, like every other error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"error: {message}. See: {self.prog} --help\n")


def build_parser(chosen: str | None) -> tuple[Parser, ModuleType | None]:
    """The parser of all commands, with the arguments of the chosen one, and that command's module.

    Only the chosen command is imported: the others may need libraries that take a second to load.
    """
    parser = Parser(prog="avatar-app", description="Animate a photo with the motion of a face in a video.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    module = None
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            module = importlib.import_module(f"avatar_app.commands.{name}")
            module.add_arguments(command)
    return parser, module


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; None reads the process's own.

    Returns:
        The exit code: 0 done, 1 the command's own "no", 2 an error the user can put right, 130 interrupted.
    """
    _print_anything()
    if argv is None:
        argv = sys.argv[1:]
        # A polite kill should clean up like Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        share_heap()
    # Without a command the app itself opens; its options may stand alone.
    if not argv or (argv[0].startswith("-") and argv[0] not in ("-h", "--help", "--version")):
        argv = ["window", *argv]
    parser, command = build_parser(argv[0])
    try:
        arguments = parser.parse_args(argv)
        assert command is not None  # any other word has made the parser stop
        code: int = command.run(arguments)
        if sys.stdout:
            sys.stdout.flush()  # so that a closed pipe shows here and not while Python shuts down
        return code
    except AvatarError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone. Nothing more can be said to them, not even while Python flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OUTPUT_CLOSED
    except OSError as problem:
        if problem.errno != errno.ENAMETOOLONG:
            raise
        print(f"error: The name {problem.filename} is too long. Name another file.", file=sys.stderr)
        return USER_ERROR


def _print_anything() -> None:
    """Where the output cannot show a letter, as in a file on Windows, print its number: finished work must not fail over its name."""
    for stream in (sys.stdout, sys.stderr):  # each is None in a program without a console
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
