"""What the audit of each pipeline compares; `lib/audits/audit.py` is the way in."""
