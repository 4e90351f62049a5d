"""Recovery from a disaster: restoring, and the drill that shows that it works."""
