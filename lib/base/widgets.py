"""What one clicks in a notebook; where nobody looks, it is a text that is always the same.

The scripts and the library that shows them are read only where somebody looks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lib.base.waits import is_watched


class Clickable:
    """What has a widget for a person, and a text for everybody else."""

    def __init__(self, text: str, begin: Callable[[], Any]):
        """Make no widget yet.

        Args:
            text: What it says where nobody looks.
            begin: Makes the widget.
        """
        self._text, self._begin = text, begin

    def __repr__(self) -> str:
        return self._text

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        shown: dict[str, Any] = {"text/plain": self._text}
        if is_watched():
            bundle: dict[str, Any] = self._begin()._repr_mimebundle_() or {}
            data = bundle[0] if isinstance(bundle, tuple) else bundle
            shown |= {kind: each for kind, each in data.items() if kind != "text/plain"}
        return shown


def widget(
    script: Path, state: dict[str, Any], told: Callable[[Any, dict[str, Any], list[memoryview]], None]
) -> Any:
    """Return a widget that is drawn by a script of ours.

    Args:
        script: A module of JavaScript, as anywidget takes it: https://anywidget.dev/en/afm/
        state: What the script is given, by names; it is given anew whatever of it is set on the widget.
        told: Called with the widget, and with what the script sends, and its bytes.
    """
    import anywidget  # with ipywidgets a fifth of a second
    import traitlets

    traits = {name: traitlets.Any(value).tag(sync=True) for name, value in state.items()}
    made = type("Widget", (anywidget.AnyWidget,), {"_esm": script, **traits})()
    made.on_msg(told)
    return made
