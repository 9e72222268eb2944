"""``control``: send a command to the running app.

For desktops without global hotkeys, for scripts and for key pads.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from avatar_app.commands.numbers import instance_name
from avatar_app.commands.printer import say
from avatar_app.control.server import COMMANDS, send_command
from avatar_app.errors import AvatarError
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", type=instance_name, help="name of the instance, as given to `live --name`")
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", dest="task", required=True)
    for name, command in COMMANDS.items():
        task = tasks.add_parser(name, help=command.summary, description=command.summary.capitalize() + ".")
        if command.takes:
            task.add_argument(
                "rest",
                metavar=command.takes,
                nargs="+" if command.needed else "?",
                default="",
                help=command.summary,
            )
        task.add_argument("--json", action="store_true", help="print the whole answer as JSON")


def run(arguments: argparse.Namespace) -> int:
    rest = getattr(arguments, "rest", "")
    rest = rest if isinstance(rest, str) else " ".join(rest)
    if arguments.task == "snapshot" and rest:
        rest = str(Path(rest).absolute())  # the app may run in another folder
    reply = send_command(f"{arguments.task} {rest}".strip(), name=arguments.name or "")
    if arguments.json:
        say(json.dumps(reply, indent=2))
    if not reply["ok"]:
        raise AvatarError(Text("{}", reply["message"]), Text("{}", reply.get("hint", "")))
    if not arguments.json and reply["message"]:
        say(reply["message"])
    return 0
