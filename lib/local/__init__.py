"""The local AWS: its server, its users, and the stand-ins for what it lacks."""
