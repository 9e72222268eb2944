"""One file for each sub-command: its arguments and its output."""
