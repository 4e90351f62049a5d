"""How the local AWS says that it cannot do what AWS does."""


class NotOnLocalAwsError(RuntimeError):
    """AWS would run this; the local AWS would not, or would only pretend to. Says why, and what to do."""


def not_here(what: str, why: str, todo: str) -> NotOnLocalAwsError:
    """Return the error that says what the local AWS cannot do, why, and what to do instead."""
    return NotOnLocalAwsError(f"The local AWS cannot do this: {what}, for {why}. Instead: {todo}.")
