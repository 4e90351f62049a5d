"""The cut-over: the last day of a source, frozen, compared and written down."""
