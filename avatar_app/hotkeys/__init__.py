"""Global hotkeys: they work while another window has the focus."""
