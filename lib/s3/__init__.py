"""Objects, their versions and listings of them, and whether two are the same."""
