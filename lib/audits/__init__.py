"""What the audit of each pipeline compares; `lib/audit.py` is the way in."""
