"""The window's appearance: theme, icons, small widgets."""
