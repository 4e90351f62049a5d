"""The local AWS: its server, its users, and what it lacks."""
