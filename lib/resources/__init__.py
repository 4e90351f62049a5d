"""What AWS things are: one file per service."""
