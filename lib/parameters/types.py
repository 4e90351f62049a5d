"""The types of parameters, and what a mistake in one is called."""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any

from botocore.regions import EndpointResolver
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic.fields import FieldInfo

from lib.base.aws_models import MODELS
from lib.base.reasons import REASONS
from lib.parameters.tables import COLUMN_TYPES, column_of
from lib.resources.other_account import ROLE_ARN
from lib.resources.schedules import crawler_schedule, rule_schedule

# What to write, by the type of pydantic's error: https://docs.pydantic.dev/latest/errors/validation_errors/
WRITE = {
    "int_type": "; write a whole number in digits and without quotes, such as 10",
    "bool_type": "; write true or false, without quotes",
    "string_type": "; put it in quotes",
}
# What a parameter of an earlier version became.
RENAMED = dict.fromkeys(
    (
        *(f"migrate.{name}_kms_key_arn" for name in ("source", "target", "topic")),
        *(f"backup.{name}_kms_key_arn" for name in ("primary", "dr")),
    ),
    "kms_key_arns, a list of them, one a region",
)
ALLOWED = "allowed"  # what says in the JSON schema, in words, which texts a parameter takes
# What S3 and people write; fromisoformat alone would take any letter for the T, and forget nanoseconds.
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
# Access key ids by their beginning:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
# Secret keys have 40 characters, and hardly ever lack upper case, lower case or digits as a key prefix may.
SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?<![A-Za-z0-9/+=])(?=\S*[A-Z])(?=\S*[a-z])(?=\S*[0-9])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"
)


@cache
def regions() -> tuple[str, ...]:
    """Return the names of all AWS regions that have S3, from botocore's own data (no call to AWS)."""
    # A session would also read the caller's profile, and fail if that is a wrong one.
    endpoints = MODELS.load_data("endpoints")
    return tuple(EndpointResolver(endpoints).get_available_endpoints("s3"))


def _region(name: str) -> str:
    if name not in regions():
        raise ValueError(f"{name!r} is not an AWS region{did_you_mean(name, regions())}")
    return name


def _arn_in_a_region(arn: str) -> str:
    _region(arn.split(":")[3])
    return arn


def _folder(prefix: str) -> str:
    if not re.fullmatch(r"[^/].*/", prefix) or "//" in prefix:
        raise ValueError(f"{prefix!r} is no folder: write for instance 'summaries/'")
    return _key_part(prefix)


def _key_part(text: str) -> str:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # from bytes on the command line that are no UTF-8
        raise ValueError(f"{text!r} is no text in UTF-8") from None
    if size > 1024:
        raise ValueError("a key has at most 1,024 bytes")
    return text


def _as_text(value: Any) -> Any:
    """Return a time of Python's as its text, which loses nothing; anything else as it is."""
    return value.isoformat() if isinstance(value, datetime) else value


def _moment(text: str) -> str:
    if text:
        try:
            if not MOMENT.fullmatch(text):
                raise ValueError
            datetime.fromisoformat(text).astimezone(UTC)  # fails too if that would be before the year 1
        except (ValueError, OverflowError):
            raise ValueError(f"{text!r} is no time with a zone: write it as 2026-01-02T15:04:05Z") from None
    return text


def _reason(text: str) -> str:
    if text and text not in REASONS:
        raise ValueError(f"there is no {text!r}; there are: {', '.join(REASONS)}")
    return text


def _bucket_name(name: str) -> str:
    # Which names there are today, and which may be older: those of us-east-1 from before March 2018.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    if name.startswith(("arn:", "s3:", "http")) or "/" in name:
        raise ValueError(f"{name!r} is no bucket's name: write it without s3://, ARN or folder")
    if name and not re.fullmatch(r"[A-Za-z0-9._-]{3,255}", name):
        raise ValueError(
            f"{name!r} is no bucket's name: 3 to 255 letters, digits, dots, hyphens, underscores"
        )
    if name.endswith(("-s3alias", "--ol-s3", "--x-s3", "--table-s3", ".mrap")):
        raise ValueError(f"{name!r} is no general-purpose bucket: those alone have notifications")
    return name


def is_old_bucket_name(name: str) -> bool:
    """Return whether only a bucket of us-east-1 can have a name, which it then got before March 2018.

    Args:
        name: Any that `BucketName` takes.
    """
    return not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", name)


def _account_or_none(text: str) -> str:
    if text and not re.fullmatch(r"[0-9]{12}", text):
        raise ValueError(f"{text!r} is no account: write its 12 digits, or leave it empty")
    return text


def _role_arn(text: str) -> str:
    if text and not re.fullmatch(ROLE_ARN, text, re.ASCII):
        raise ValueError(f"{text!r} is no role: write arn:aws:iam::ACCOUNT:role/NAME, or leave it empty")
    return text


def _column(text: str) -> str:
    column_of(text)
    return text


def _email(address: str) -> str:
    if address:
        from email_validator import EmailNotValidError, validate_email  # with a DNS client, for a few

        try:
            validate_email(address, check_deliverability=False)
        except EmailNotValidError as error:
            raise ValueError(f"{address!r} is not an e-mail address: {error}") from None
    return address


def _allowed(what: str) -> FieldInfo:
    """Return what says in words which texts a type allows, where a JSON schema has none for it."""
    return Field(json_schema_extra={ALLOWED: what})


# Of any that exists: which do, the account says.
PipelineName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+$"), _allowed("name of a pipeline, such as migrate")
]
Region = Annotated[str, AfterValidator(_region), _allowed("AWS region, such as us-east-1")]
Schedule = Annotated[str, AfterValidator(crawler_schedule), _allowed("cron(…) or empty")]
RuleSchedule = Annotated[str, AfterValidator(rule_schedule), _allowed("rate(…) or cron(…)")]
KeyPart = Annotated[str, AfterValidator(_key_part), _allowed("text of at most 1,024 bytes, may be empty")]
Folder = Annotated[str, AfterValidator(_folder), _allowed("text that ends in / and does not begin so")]
Ticker = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9.-]{0,11}$"),
    _allowed("upper-case letters, digits, . and -, at most 12"),
]
TableName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$"),
    _allowed("letters, digits, _, . and -, at most 100"),
]
ColumnText = Annotated[
    str, AfterValidator(_column), _allowed(f"NAME TYPE, where TYPE is one of {', '.join(COLUMN_TYPES)}")
]
KeyTemplate = Annotated[
    str, _allowed("name of a column, or a text with columns in braces such as {country}#{city}")
]
AccountId = Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$"), _allowed("12 digits")]
# Of another account; what fits together is for the section to say.
OtherAccountId = Annotated[
    str, AfterValidator(_account_or_none), _allowed("number of an AWS account, 12 digits, or empty")
]
RoleArn = Annotated[str, AfterValidator(_role_arn), _allowed("arn:aws:iam::ACCOUNT:role/NAME, or empty")]
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
ExternalId = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9_+=,.@:/-]{2,1224})?$"),
    _allowed("2 to 1,224 letters, digits and _+=,.@:/-, or empty"),
]
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9]*$"),
    _allowed("lower-case letters and digits, a letter first"),
]
Moment = Annotated[
    str, BeforeValidator(_as_text), AfterValidator(_moment), _allowed("time with a zone, or empty")
]
Reason = Annotated[str, AfterValidator(_reason), _allowed(f"{', '.join(REASONS)}, or empty")]
BucketName = Annotated[
    str,
    AfterValidator(_bucket_name),
    _allowed("name of a bucket that is there, or empty"),
]
Email = Annotated[str, AfterValidator(_email), _allowed("e-mail address, or empty")]
KmsKeyArn = Annotated[
    str,
    StringConstraints(pattern=r"^arn:aws:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"),
    AfterValidator(_arn_in_a_region),
    _allowed("arn:aws:kms:REGION:ACCOUNT:key/ID"),
]
Waiver = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z-]+ *: *\S.*$"),
    _allowed("RULE: REASON, such as queue-visibility-factor: it is never throttled"),
]
PolicyArn = Annotated[
    str,
    StringConstraints(pattern=r"^(arn:aws:iam::([0-9]{12}|aws):policy/[A-Za-z0-9+=,.@_/-]+)?$"),
    _allowed("arn:aws:iam::ACCOUNT:policy/NAME, or empty"),
]


def secrets(values: Mapping[str, Any], path: str = "") -> set[str]:
    """Return the names of the values that look like a credential.

    Args:
        values: Parameter names to values; a section is a mapping of its own.
        path: What goes before each name.

    Returns:
        Names, those of a section as `section.name`.
    """
    found = set()
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= secrets(value, f"{path}{name}.")
        elif any(isinstance(each, str) and SECRET.search(each) for each in _each(value)):
            found.add(f"{path}{name}")
    return found


def _each(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " – did you mean X?" if a known name is close, or the same in a section; else nothing."""
    known = list(known)
    in_sections = [one for one in known if one.endswith(f".{name}")]
    close = in_sections or difflib.get_close_matches(name, known, n=1)
    return f" – did you mean {' or '.join(close)}?" if close else ""


def explain(error: Mapping[str, Any], known: Iterable[str]) -> str:
    """Say in one line what one of pydantic's errors means for the person who wrote the value.

    Args:
        error: One of `ValidationError.errors()`.
        known: The names of all parameters, those of a section as `section.name`.

    Returns:
        Where, what was found, and what is allowed.
    """
    where, found = ".".join(map(str, error["loc"])), error["input"]
    if error["type"] == "extra_forbidden" and where in RENAMED:
        return f"{where} is called {RENAMED[where]} now"
    if error["type"] == "extra_forbidden":
        if where in known:  # a name with a dot in it, which is one after --set alone
            section, name = where.split(".", 1)
            return f"unknown parameter {where!r}: in a file it is {name}, in the section {section}"
        return f"unknown parameter {where}{did_you_mean(where, known)}"
    if where == "account_id":
        in_quotes = "" if isinstance(found, str) else " in quotes"
        return f"account_id: must be 12 digits{in_quotes}; found {found!r} ({type(found).__name__})"
    if error["type"] == "value_error":
        return f"{where}: {error['ctx']['error']}".removeprefix(": ")
    return f"{where}: {error['msg']}; found {found!r}{WRITE.get(error['type'], '')}"
