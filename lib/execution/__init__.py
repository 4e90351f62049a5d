"""Runs of notebooks without a person: executing, reporting, going back, and the live tier."""
