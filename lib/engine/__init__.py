"""From a description to what exists: stacks, plans, the ledger, the lock, the preflight."""
