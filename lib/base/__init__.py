"""What everything stands on: errors, paths, times, threads, retries. Knows no service of AWS."""
