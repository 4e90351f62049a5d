"""The MIME types under which a notebook tells `runbook run` what it did, beside what it shows a person."""

COUNTS = "application/vnd.runbook.counts+json"  # summary, counts, table, notes
LEFT_OUT = "application/x-runbook-left-out+json"  # what was not looked at, and the reason
ADOPTING = "application/vnd.runbook.adopting+json"  # what adopting a bucket means
POINTS = "application/x-runbook-points+json"  # all points of a checklist
