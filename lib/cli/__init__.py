"""The command line `runbook`."""
