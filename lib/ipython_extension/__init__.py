"""The IPython extension of the notebooks: `%when`, `%calls`, how tables, waits and errors look."""

from lib.base.waits import Wait


def load_ipython_extension(shell) -> None:
    """Show that the cell which loads this is alive, before what takes long is imported; then all the rest.

    Args:
        shell: IPython's shell.
    """
    importing = Wait("Import")
    if hasattr(shell, "kernel"):  # the cell goes on to import all else
        importing.__enter__()
    from lib.ipython_extension import cells  # pandas and botocore

    cells.extend(shell, importing)
