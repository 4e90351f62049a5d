"""Parameters as text, in a file or after `--set`: a parameter's type says what its text means.

YAML would guess: a date of 2026-01-02, False of NO, 83 of 0123 and 90 of 1:30 (https://yaml.org/type/). So
only its form is read, names, lists and texts, and each text becomes what its parameter is.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError

from lib.base.errors import ParameterError

# https://yaml.org/spec/1.2.2/#103-core-schema
BOOLEANS = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
# Of as many digits as Python reads: https://docs.python.org/3/library/stdtypes.html#int-max-str-digits
WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,4299})")


class Quoted(str):
    """A text that stands in quotes: it is a text, also where its parameter is none."""

    __slots__ = ()


class _Texts(yaml.BaseLoader):
    """Reads YAML without guessing: mappings, lists and texts. What says a thing in two places is refused."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            what = "anchors and aliases (& and *) are not understood here; a text that begins so needs quotes"
            raise ComposerError(None, None, what, event.start_mark)
        if event.tag:
            what = "tags (!) are not understood here; a text that begins so needs quotes"
            raise ComposerError(None, None, what, event.start_mark)
        return super().compose_node(parent, index)

    def construct_scalar(self, node: yaml.Node) -> str:
        # JSON escapes what is beyond 16 bits in two parts, which PyYAML leaves apart:
        # https://www.rfc-editor.org/rfc/rfc8259#section-7
        pairs = super().construct_scalar(node).encode("utf-16-le", "surrogatepass")
        text = pairs.decode("utf-16-le", "surrogatepass")
        return Quoted(text) if node.style else text

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a name must be a text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"{key.value!r} stands there twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read(text: str) -> Any:
    """Read YAML without guessing.

    Args:
        text: One document.

    Returns:
        A dict, a list or a text, a `Quoted` one if it stands in quotes; None if there is nothing.

    Raises:
        ParameterError: If it is no YAML, says a name twice, or uses anchors, aliases or tags.
    """
    try:
        return yaml.load(text, Loader=_Texts)  # makes nothing but dicts, lists and texts
    except yaml.YAMLError as error:
        raise ParameterError(f"cannot be read: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ParameterError("cannot be read: it is nested too deeply") from None


def read_file(path: str | Path, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file of parameters.

    Args:
        path: A YAML file in UTF-8.
        schema: The JSON schema of the parameters.

    Returns:
        Names to values, each text made what its parameter is, if it can be.

    Raises:
        ParameterError: If the file cannot be read, or holds no names and values.
    """
    try:
        values = read(Path(path).read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path}: cannot be read: {error}") from None
    except ParameterError as error:
        raise ParameterError(f"{path}: {error}") from None
    if values is None:
        raise ParameterError(f"{path}: is empty; write {{}} if the defaults are meant")
    if not isinstance(values, dict):
        found = "a list" if isinstance(values, list) else "a text"
        raise ParameterError(f"{path}: holds no names and values, but {found}")
    return typed(values, schema, schema)


def read_assignment(assignment: str, schema: Mapping[str, Any], where: str = "") -> tuple[list[str], Any]:
    """Read what is given after `--set`.

    Args:
        assignment: `NAME=VALUE`; NAME may be `section.name`. Where the parameter is a text, VALUE is taken
            to the letter, but for quotes around it; where it is a list, too, unless it is in [ ], which makes
            it a list of one; elsewhere it is YAML.
        schema: The JSON schema of the parameters.
        where: What a mistake is told of; empty for `--set` itself.

    Returns:
        The parts of the name, and the value, made what the parameter is, if it can be.

    Raises:
        ParameterError: If there is no `=`, or VALUE is no YAML where it must be.
    """
    name, equals, text = assignment.partition("=")
    parts = name.split(".")
    where = where or f"--set {assignment}"
    if not equals or not all(parts):
        raise ParameterError(f"{where}: write NAME=VALUE, such as migrate.batch_size=5")
    one: Mapping[str, Any] = schema
    for part in parts:
        one = resolved(one, schema).get("properties", {}).get(part, {})
    kind = kind_of(resolved(one, schema))
    is_text = kind == "string"
    if kind == "array" and text.strip() and not text.lstrip().startswith("["):
        return parts, [text]
    if is_text and not re.fullmatch(r"""(["']).*\1""", text, re.DOTALL):
        return parts, text
    try:
        value = read(text)
    except ParameterError as error:
        if is_text:  # such as 'it's': no text in quotes, but one that has some
            return parts, text
        raise ParameterError(f"{where}: {error}") from None
    if value is None:
        value = [] if kind == "array" else ""
    return parts, typed(value, one, schema)


def typed(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    """Make each text what its parameter is. What cannot be made that stays a text, which validation refuses.

    Args:
        value: As `read` returns it.
        schema: The JSON schema of what it is for; empty if there is no such parameter.
        whole: The JSON schema of the parameters, which `schema` refers to.

    Returns:
        The same, with whole numbers, truth values, and texts.
    """
    schema = resolved(schema, whole)
    if isinstance(value, dict):
        inner = schema.get("properties", {})
        return {str(name): typed(each, inner.get(name, {}), whole) for name, each in value.items()}
    if isinstance(value, list):
        return [typed(each, schema.get("items", {}), whole) for each in value]
    if isinstance(value, Quoted):
        return str(value)
    if kind_of(schema) == "integer" and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if kind_of(schema) == "boolean":
        return BOOLEANS.get(value, value)
    return value


def resolved(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, as pydantic writes it for a section.

    Args:
        schema: Of a parameter, or of a section.
        whole: The JSON schema of the parameters, which `schema` refers to.
    """
    return whole["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return a parameter's JSON type; of several, which differ in what they allow only, the first one's.

    Args:
        schema: Of the parameter.
    """
    return schema.get("type") or next((kind_of(each) for each in schema.get("anyOf", [])), "")
