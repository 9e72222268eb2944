"""``control``: tell the running app what to do, for desktops without global hotkeys, for scripts and key
pads.
"""

from __future__ import annotations

import argparse
import json

from avatar_app.commands.printer import say
from avatar_app.control.server import COMMANDS, send_command
from avatar_app.errors import AvatarError
from avatar_app.text import Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    tasks = parser.add_subparsers(title="tasks", metavar="TASK", dest="task", required=True)
    for name, summary in COMMANDS.items():
        task = tasks.add_parser(name, help=summary)
        if name == "avatar":
            task.add_argument("name", metavar="NAME", help="as the gallery shows it")
        task.add_argument("--json", action="store_true", help="print the whole answer as JSON")


def run(arguments: argparse.Namespace) -> int:
    name = getattr(arguments, "name", "")
    reply = send_command(f"{arguments.task} {name}".strip())
    if arguments.json:
        say(json.dumps(reply, indent=2))
    if not reply["ok"]:
        raise AvatarError(Text("{}", reply["message"]), Text("{}", reply.get("hint", "")))
    if not arguments.json and reply["message"]:
        say(reply["message"])
    return 0
