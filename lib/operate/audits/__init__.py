"""What the audit of each pipeline compares; `lib/operate/audits/audit.py` is the way in."""
