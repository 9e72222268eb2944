"""Train all models: data, losses, loops and export."""

import sys

from avatar_app.errors import EngineError
from avatar_app.extras import require
from avatar_app.text import Text

if sys.argv[:1] == ["-m"]:  # Python is searching for the module to run: report missing packages here
    try:
        require("train", Text("Training"))
    except EngineError as lacking:
        sys.exit(f"error: {lacking}")
