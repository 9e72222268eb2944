"""``doctor``: check whether a call, or serving others, would work here.

It says what to do, and exits with code 1, if not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict

from avatar_app.commands.options import DEFAULT_MODEL
from avatar_app.commands.printer import printable
from avatar_app.doctor.checks import Check, as_text, checks, would_work
from avatar_app.doctor.server import server_checks
from avatar_app.remote.pairing import PORT

COLOURS = {"ok": "32", "note": "33", "problem": "1;31"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        metavar="NAME",
        help=f"the model to use in the call (default: {DEFAULT_MODEL})",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or webgpu (default: auto)")
    parser.add_argument(
        "--server", action="store_true", help="check whether this computer could render for others (`serve`)"
    )
    parser.add_argument("--quick", action="store_true", help="do not measure the speed")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(arguments: argparse.Namespace) -> int:
    found = []
    for check in _checks(arguments):
        found.append(check)
        if not arguments.json:
            print(shown(check, in_colour()), flush=True)
    works = would_work(found)
    if arguments.json:
        print(json.dumps({"works": works, "checks": [asdict(check) for check in found]}, indent=2))
    else:
        what = "Serving" if arguments.server else "A call"
        print(f"\n{what} would work." if works else f"\n{what} would not work yet: see the problems above.")
    return 0 if works else 1


def _checks(arguments: argparse.Namespace) -> Iterator[Check]:
    if arguments.server:
        return server_checks(arguments.model, arguments.device, PORT, arguments.quick)
    return checks(arguments.model, arguments.device, arguments.quick)


def in_colour() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def shown(check: Check, colour: bool) -> str:
    text = printable(as_text(check))
    state = len(check.state)
    return f"\033[{COLOURS[check.state]}m{text[:state]}\033[0m{text[state:]}" if colour else text
