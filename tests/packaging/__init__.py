"""What is handed to users: the wheel, and the bundles that packaging/ makes."""
