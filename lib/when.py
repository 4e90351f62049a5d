"""The `%%when` magic: a cell that runs only if an expression is true. Load it with `%load_ext lib.when`."""

PREFIX = "%%when "


def load_ipython_extension(shell) -> None:
    """Let cells begin with `%%when expression`.

    The line is taken away, or the whole cell replaced by a line that says it was skipped, before the cell is
    compiled; so a cell that runs is an ordinary one, with its output and its tracebacks.
    https://ipython.readthedocs.io/en/stable/config/inputtransforms.html

    Args:
        shell: IPython's shell.
    """

    def transform(lines: list[str]) -> list[str]:
        if not lines or not lines[0].startswith(PREFIX):
            return lines
        expression = lines[0].removeprefix(PREFIX).strip()
        if eval(expression, shell.user_ns):  # the cell's own author wrote it
            return ["\n", *lines[1:]]
        return [f"print({f'skipped: not {expression}'!r})\n"]

    # Otherwise IPython would also call it to see whether the input is complete.
    transform.has_side_effects = True
    shell.input_transformers_cleanup.append(transform)
