"""Backfills: objects that were there before the pipeline was."""
