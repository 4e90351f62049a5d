"""What could not be done: where it waits, why, and what becomes of it."""
