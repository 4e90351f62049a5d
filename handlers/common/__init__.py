"""What every Lambda's zip carries."""
