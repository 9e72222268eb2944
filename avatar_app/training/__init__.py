"""Train all models: data, losses, loops and export."""

import sys

from avatar_app.errors import EngineError
from avatar_app.extras import require
from avatar_app.text import Text

if sys.argv[:1] == ["-m"]:  # Python is looking for the program to start: the place to say what it lacks
    try:
        require("train", Text("Training"))
    except EngineError as lacking:
        sys.exit(f"error: {lacking}")
