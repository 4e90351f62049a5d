"""What makes a file impossible to summarize, however often it is tried."""


class RejectedError(Exception):
    """The file is no CSV that can be summarized; nothing to retry.

    Attributes:
        reason: One sentence for a person, without the file's content.
        line: Number of the line in the file, from 1; None if it is not about one line.
    """

    def __init__(self, reason: str, line: int | None = None):
        super().__init__(reason)
        self.reason = reason
        self.line = line
