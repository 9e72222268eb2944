"""How the window looks: theme, icons, small widgets."""
