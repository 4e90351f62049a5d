"""CloudWatch's older protocol: what a request in it asks, and its answer as XML, by botocore's model.

https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

from botocore.model import OperationModel, Shape

NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"
SCALARS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "long": int,
    "float": float,
    "double": float,
    "boolean": lambda text: text == "true",
}


def asked(action: str, params: dict[str, str]) -> dict | None:
    """Return what a request asks, as JSON has it; None if there is no such action.

    Args:
        action: Such as `DescribeAlarms`.
        params: Names and values, such as `Dimensions.member.1.Name`.

    Raises:
        ValueError: A value is not of its type.
    """
    if action not in _model().operation_names:
        return None
    shape = _operation(action).input_shape
    return (_read(shape, "", params) if shape else None) or {}


def answer(action: str, content: dict, request_id: str) -> bytes:
    """Return the answer to a request.

    Args:
        action: What was asked.
        content: The answer, as JSON has it.
        request_id: Of the request.
    """
    shape = _operation(action).output_shape
    result = f"<{action}Result>{_written(shape, content)}</{action}Result>" if shape else ""
    metadata = f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
    return f'<{action}Response xmlns="{NAMESPACE}">{result}{metadata}</{action}Response>'.encode()


@cache
def _model():
    from botocore.session import Session

    return Session().get_service_model("cloudwatch")


def _operation(action: str) -> OperationModel:
    return _model().operation_model(action)


def _read(shape: Shape, name: str, params: dict[str, str]) -> Any:
    """Return a member of a request; None if the request does not have it."""
    match shape.type_name:
        case "structure":
            prefix = f"{name}." if name else ""
            members = ((each, _read(kind, prefix + each, params)) for each, kind in shape.members.items())
            return {each: value for each, value in members if value is not None} or None
        case "list":
            found: list | None = [] if name in params else None
            while (value := _read(shape.member, f"{name}.member.{len(found or ()) + 1}", params)) is not None:
                found = [*(found or ()), value]
            return found
    text = params.get(name)
    return None if text is None else SCALARS.get(shape.type_name, str)(text)


def _written(shape: Shape, value: Any) -> str:
    match shape.type_name:
        case "structure":
            return "".join(
                f"<{name}>{_written(kind, value[name])}</{name}>"
                for name, kind in shape.members.items()
                if value.get(name) is not None
            )
        case "list":
            return "".join(f"<member>{_written(shape.member, each)}</member>" for each in value)
        case "boolean":
            return "true" if value else "false"
        case "timestamp" if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return escape(str(value))
