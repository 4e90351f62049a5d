"""What every resource is: named, read, created, updated, found again and deleted."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum, auto
from itertools import product
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from lib.base.difference import of_values
from lib.base.errors import RunbookError
from lib.resources.checks import Finding
from lib.resources.other_account import OtherAccount
from lib.resources.policies import canonical

# Where IAM and Organizations are, whichever region they are asked in:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requestedregion
GLOBAL_REGION = "us-east-1"


class Deletion(IntEnum):
    """When a type is deleted: first what makes others act, last what they write to."""

    ENTRANCE = auto()  # by which events come in
    LINK = auto()  # by which they are handed on
    OBSERVER = auto()  # looks on, and tells
    READER = auto()  # reads what is stored
    PART = auto()  # of a catalogue, or of a reader
    CATALOGUE = auto()
    FUNCTION = auto()
    REMAINS = auto()  # of a function, which would make its log group anew with its last words
    CHANNEL = auto()  # keeps or passes on what is on its way
    STORE = auto()
    BUCKET = auto()  # S3 lists those of all regions, so they say where to look for the rest


# What a resource is set to: the name of a setting to its value, of plain JSON types.
Settings = dict[str, Any]

TAG_ENV = "runbook:env"
TAG_PIPELINE = "runbook:pipeline"
TAG_ROLE = "runbook:role"  # what an end is to its pipeline: one of ROLES, or several with a + between
SOURCE, DESTINATION, HOLDING = ROLES = ("source", "destination", "holding")
TAG_PROTECTED = "runbook:deletion-protection"  # of what holds data; ours, so that what is by hand stays
PROTECTED = "ENABLED"
LONG_CHARACTERS = 60  # a value that has more is shown as a diff
BY_PARAMETER = "deletion_protection is ENABLED: `--set deletion_protection=DISABLED` takes it off"
MAY_BE_EMPTY = (TAG_ROLE, TAG_PROTECTED)  # which is the same as not being there
WRITTEN = "written"  # of a bucket that is adopted: into which something is written, though it is no end


# Of a role's description: https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
MOST_DESCRIPTION_CHARACTERS = 1000
ADOPTS, AND = "adopts", "; "
ADOPTION = re.compile(rf"{ADOPTS} (\S+) as (\S+): ([a-z0-9-]+)/([A-Za-z0-9._-]+)/([^\s;]*)")


@dataclass(frozen=True)
class Adopted:
    """A bucket that is somebody else's, in the place of one that a pipeline would make.

    Attributes:
        pipeline: The pipeline's name.
        what: The last part of the name of the bucket in whose place it is, such as `source`.
        name: Its name.
        region: The region it must be in.
        role: As of an `End`; also with `written`.
        prefixes: What the keys begin with that the pipeline writes there, or else reads; empty is for all.
        parameter: Which parameter names it; empty if the account does.
        key_arns: The KMS keys besides its own under which objects in it are that the pipeline reads.
    """

    pipeline: str
    what: str
    name: str
    region: str
    role: str
    prefixes: tuple[str, ...] = ("",)
    parameter: str = field(default="", compare=False)
    key_arns: tuple[str, ...] = field(default=(), compare=False)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:s3:::{self.name}"

    @property
    def end_role(self) -> str:
        """Its role as of an `End`."""
        return "+".join(each for each in self.role.split("+") if each in ROLES)

    @property
    def is_written(self) -> bool:
        """Whether the pipeline writes something into it."""
        return not {DESTINATION, WRITTEN}.isdisjoint(self.role.split("+"))

    @property
    def description(self) -> str:
        """It in the characters that a role's description may have; of what is too long, less is said."""
        length = max(map(len, self.prefixes))
        while True:
            keys = ",".join(dict.fromkeys(quote(each[:length], safe="/") for each in self.prefixes))
            text = f"{ADOPTS} {self.what} as {self.role}: {self.region}/{self.name}/{keys}"
            if len(text) < MOST_DESCRIPTION_CHARACTERS / 2 or not length:  # a pipeline has two ends
                return text
            length //= 2

    @classmethod
    def described(cls, pipeline: str, description: str) -> Iterator["Adopted"]:
        """Yield what the description of a role says that its pipeline has adopted.

        Args:
            pipeline: The pipeline.
            description: The role's, whoever wrote it.
        """
        for what, role, region, name, keys in ADOPTION.findall(description):
            yield cls(pipeline, what, name, region, role, tuple(map(unquote, keys.split(","))))

    def shared_prefixes(self, other: "Adopted") -> tuple[str, ...]:
        """Return what the keys begin with that both may write, if they are the same bucket."""
        written = self.name == other.name and self.is_written and other.is_written
        pairs = product(self.prefixes, other.prefixes) if written else ()
        return tuple(
            max(pair, key=len) for pair in pairs if pair[0].startswith(pair[1]) or pair[1].startswith(pair[0])
        )


def apart(description: str) -> tuple[str, str]:
    """Return what the description of a role says of what is adopted or elsewhere, and what else is in it.

    Args:
        description: The role's, whoever wrote it.
    """
    parts = description.split(AND) if description else []
    ours = [each for each in parts if ADOPTION.fullmatch(each) or OtherAccount.is_description(each)]
    return AND.join(ours), AND.join(each for each in parts if each not in ours)


def together(theirs: str, ours: str) -> str:
    """Return a role's description of the two parts; each may be empty."""
    return AND.join(filter(None, (theirs, ours)))


@dataclass(frozen=True)
class Scope:
    """Whose resources these are: the beginning of every name, and the tags.

    Attributes:
        prefix: The first part of every name.
        env: The environment, the second part.
        pipeline: The pipeline, the third part; empty for all of an environment's pipelines.
        account_id: The AWS account, 12 digits.
        permissions_boundary_arn: The policy that says what roles may do at most; empty for none.
        kms_key_arns: The KMS keys to encrypt with, one a region at most.
        adopted: The buckets that are somebody else's and that its pipelines work on.
        others: The other accounts in which buckets of its pipelines live.
        protects: Whether what holds data is protected from deletion.
    """

    prefix: str
    env: str
    pipeline: str
    account_id: str
    permissions_boundary_arn: str = ""
    kms_key_arns: tuple[str, ...] = ()
    adopted: tuple[Adopted, ...] = field(default=(), compare=False)
    others: tuple[OtherAccount, ...] = field(default=(), compare=False)
    protects: bool = field(default=False, compare=False)

    def name(self, what: str) -> str:
        """Return the full name of a thing, `{prefix}-{env}-{pipeline}-{what}`."""
        return self.beginning + what

    def kms_key_arn(self, region: str, account_id: str = "") -> str:
        """Return the key of a region, which stands in its ARN; empty if there is none.

        Args:
            region: The region.
            account_id: The account that the key is of; empty for the scope's own.
        """
        place = [region, account_id or self.account_id]
        return next((arn for arn in self.kms_key_arns if arn.split(":")[3:5] == place), "")

    @property
    def beginning(self) -> str:
        """What every full name begins with; no part holds a hyphen, so it is nobody else's."""
        return "".join(f"{part}-" for part in (self.prefix, self.env, self.pipeline) if part)

    def pipeline_of(self, name: str) -> str:
        """Return the third part of a full name; Glue's have underscores, log groups' begin with a path.

        Args:
            name: Of something of this environment.
        """
        found = re.search(f"{self.prefix}[-_]{self.env}[-_]([^-_]+)", name)
        assert found, f"{name} is listed as of {self.env}"
        return found[1]

    def adoption(self, what: str) -> Adopted | None:
        """Return the bucket that is adopted in the place of one of the pipeline's; None if it is made.

        Args:
            what: The last part of the name of that one, such as `source`.
        """
        place = (self.pipeline, what)
        return next((one for one in self.adopted if (one.pipeline, one.what) == place), None)

    def account_of(self, what: str) -> str:
        """Return the account in which one of the pipeline's buckets lives.

        Args:
            what: The last part of its name, such as `dr`.
        """
        place = (self.pipeline, what)
        found = (one.account_id for one in self.others if (one.pipeline, one.what) == place)
        return next(found, self.account_id)

    @property
    def description(self) -> str:
        """What is said of the roles of its pipeline: what it adopts, and what lives elsewhere; or nothing."""
        known: list[Adopted | OtherAccount] = [*self.adopted, *self.others]
        return AND.join(one.description for one in known if one.pipeline == self.pipeline)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that say that a resource is ours."""
        return {TAG_ENV: self.env, TAG_PIPELINE: self.pipeline}


@dataclass(frozen=True)
class Found:
    """A resource that a service listed.

    Attributes:
        identifier: What the service's calls want: a name, URL, ARN or UUID.
        name: Its name, for people.
        arn: As its class's `arn`, by which the ledger knows it.
        tags: Its tags, or those of what it is a part of, since a part has none of its own; None if there is
            nothing that could have tags, so that its name must do.
    """

    identifier: str
    name: str
    arn: str
    tags: dict[str, str] | None

    @property
    def is_protected_by_us(self) -> bool:
        """Whether its tag says that we gave it its protection from deletion."""
        return (self.tags or {}).get(TAG_PROTECTED) == PROTECTED


@dataclass(frozen=True)
class Link:
    """An arrow of the picture: from one resource's ARN to another's, and what travels along it."""

    source: str
    target: str
    label: str = ""


@dataclass(repr=False)
class Resource(ABC):
    """One thing in AWS, described once; `read` and `desired` give the same settings, found and wanted.

    `read` returns only the settings that we manage. Whatever else is set there is somebody else's: it is not
    compared, and `update` leaves it alone.

    Attributes:
        what: The last part of its name, such as `uploads`.
        region: The AWS region it lives in.
    """

    what: str
    region: str
    scope: Scope = field(init=False, compare=False)

    service: ClassVar[str]  # the name of its boto3 client
    noun: ClassVar[str]  # what AWS calls it
    taggable: ClassVar[bool] = True
    is_made: ClassVar[bool] = True  # by the runbook, which then finds it again and deletes it
    deletion: ClassVar[Deletion]  # when it is deleted
    is_global: ClassVar[bool] = False  # it has no region
    asked_in: ClassVar[str] = ""  # of a global one: where, if not anywhere
    # Events come in by it: a move closes it first, so that queues run empty.
    is_entrance: ClassVar[bool] = False
    # It acts, or is told by what acts, and holds no data: a move removes it, and keeps all else.
    acts: ClassVar[bool] = False
    receives: ClassVar[bool] = False  # takes in what comes until the pipeline works: a move makes it first
    is_encrypted: ClassVar[bool] = False  # what it keeps, with the key of its region
    holds_data: ClassVar[bool] = False  # what people have stored is in it, and goes with it
    unchangeable: ClassVar[tuple[str, ...]] = ()  # settings that it keeps as long as it lives
    may_be_elsewhere: ClassVar[bool] = False  # in another account than its pipeline
    assumed_by: ClassVar[str] = ""  # the service that works in its `role`, if it has one
    # An operator has put it there, and no pipeline describes it: a run leaves it, and says this of it.
    stays: ClassVar[str] = ""
    # The attributes that are resources which must be in its region.
    same_region: ClassVar[tuple[str, ...]] = ()
    # The parameters of boto3's calls that name it; `Name` and the like need not be said.
    call_names: ClassVar[tuple[str, ...]] = ()
    # Actions on what it keeps, and what whoever does them must be allowed with its KMS key.
    key_uses: ClassVar[dict[str, tuple[str, ...]]] = {}

    @property
    def name(self) -> str:
        """Its full name."""
        return self.scope.name(self.what)

    @property
    @abstractmethod
    def arn(self) -> str:
        """Its ARN, known before it exists."""

    @property
    def account_id(self) -> str:
        """The account that it lives in, by whose client it is read and written."""
        return self.scope.account_id

    @property
    def content_arn(self) -> str:
        """The ARN that actions on what it keeps are about."""
        return self.arn

    @property
    def needs(self) -> list[str]:
        """The ARNs of what it cannot do without: whatever its description refers to."""
        values = [getattr(self, each.name) for each in fields(self) if each.init]
        arns = (value.arn if isinstance(value, Resource) else value for value in values)
        return sorted({arn for arn in arns if isinstance(arn, str) and arn.startswith("arn:")})

    @property
    def kms_key_arn(self) -> str:
        """The KMS key with which it is encrypted if it keeps anything; empty for the service's own."""
        return self.scope.kms_key_arn(self.region, self.account_id)

    @property
    def note(self) -> str:
        """What a plan says of it besides what is to be done; empty for nothing."""
        return ""

    def output(self, client) -> str:
        """Return what others name it by, for `runbook output`; it must exist.

        Args:
            client: A boto3 client of its service in its region.
        """
        return self.name

    @abstractmethod
    def desired(self) -> Settings:
        """Return the settings it shall have."""

    @abstractmethod
    def read(self, client) -> Settings | None:
        """Return the settings it has, or None if it does not exist.

        Args:
            client: As for `output`.
        """

    @abstractmethod
    def create(self, client) -> None:
        """Make it, with all its desired settings."""

    @abstractmethod
    def update(self, client, settings: Settings) -> None:
        """Change it.

        Args:
            client: As for `output`.
            settings: Those of the desired settings that differ.
        """

    def make(self, client) -> None:
        """Create it, or change what differs; after an error that will pass it may simply be called again.

        Args:
            client: As for `output`.
        """
        found = self.read(client)
        if found is None:
            self.create(client)
        elif changes := differences(found, self.desired()):
            self.update(client, changes)

    @classmethod
    def superseded(cls, found: Found, described: Mapping[str, "Resource"]) -> "Resource | None":
        """Describe what an apply deletes once nothing describes it any more; nothing of most types.

        Args:
            found: What is there, and is described no more.
            described: ARNs to what is, wanted or not.

        Returns:
            What it was described as; None if the plan shall name it, and a move leave it in order.
        """
        return None

    @classmethod
    @abstractmethod
    def find(cls, client, scope: Scope) -> Iterator[Found]:
        """List what exists of this type; what was deleted a moment ago may still be listed and is left out.

        Args:
            client: As for `output`.
            scope: Whose; without a pipeline, those of all pipelines of the environment.
        """

    @classmethod
    @abstractmethod
    def delete(cls, client, identifier: str) -> None:
        """Delete one and what is in it; one that is gone already is no error.

        Args:
            client: As for `output`.
            identifier: As `find` gives it.
        """

    @classmethod
    def protection(cls, client, found: Found, by_us: bool = True) -> str:
        """Return what protects one from deletion, and how that is taken off; empty for nothing.

        Args:
            client: As for `output`.
            found: As `find` gives it.
            by_us: Whether what we gave it counts, which `unprotect` takes off.
        """
        return ""

    @classmethod
    def unprotect(cls, client, found: Found) -> None:
        """Take off the protection that we gave it, as its tag says; what was protected by hand stays so.

        Args:
            client: As for `output`.
            found: As `find` gives it.
        """
        return

    def difference(self, client, found: Settings, changes: Settings) -> Iterator[str]:
        """Yield what of its changes is too long for a table, as the lines of a unified diff.

        Args:
            client: As for `output`.
            found: The settings that it has.
            changes: Those of the desired settings that differ.
        """
        for name, wanted in changes.items():
            if max(len(repr(found.get(name))), len(repr(wanted))) > LONG_CHARACTERS:
                yield from of_values(name, canonical(found.get(name)), canonical(wanted))

    def _still(self, found: dict | None) -> dict:
        """Return what was found of it; that it is gone since the plan looked at it is an error."""
        if found is None:
            raise RunbookError(f"{self} was deleted since it was looked at: run this again")
        return found

    def checks(self) -> Iterable[Finding]:
        """Return what AWS would refuse of it as it is described: limits and grammars. Asks nobody."""
        return ()

    def __repr__(self) -> str:
        if not hasattr(self, "scope"):
            return f"{self.noun} {self.what} in {self.region}"
        elsewhere = "" if self.account_id == self.scope.account_id else f" of account {self.account_id}"
        return f"{self.noun} {self.name} in {self.region}{elsewhere}"

    def links(self, settings: Settings) -> Iterable[Link]:
        """Return the arrows that the settings it was found with draw."""
        return ()


@dataclass(repr=False, kw_only=True)
class End(Resource):
    """What may be an end of a pipeline: where its work comes from, where the outcome is, where work is held.

    Attributes:
        role: `source`, `destination`, `holding`, or several with a + between; empty for none of these. It is
            a tag, so that the account itself says what a pipeline reads and writes.
    """

    role: str = ""

    def __post_init__(self) -> None:
        if unknown := set(filter(None, self.role.split("+"))) - set(ROLES):
            raise ValueError(f"role: {', '.join(sorted(unknown))} is none of {', '.join(ROLES)}")

    @property
    def tags(self) -> dict[str, str]:
        """The tags it shall have."""
        role = {TAG_ROLE: self.role} if self.role else {}
        protected = {TAG_PROTECTED: PROTECTED} if self.is_protected else {}
        return {**self.scope.tags, **role, **protected}

    @property
    def is_protected(self) -> bool:
        """Whether it shall be protected from deletion, since it holds data."""
        return self.holds_data and self.scope.protects


def roles(tags: dict[str, str]) -> set[str]:
    """Return what a thing is to its pipeline, by its tags."""
    return set(filter(None, tags.get(TAG_ROLE, "").split("+")))


def retagged(found: dict[str, str], tags: dict[str, str]) -> dict[str, str]:
    """Return the tags to write, so that a role or a protection that something has no more is empty.

    Args:
        found: All tags that it has.
        tags: Those that it shall have.
    """
    return {**{name: "" for name in MAY_BE_EMPTY if found.get(name)}, **tags}


def differences(found: Settings | None, desired: Settings) -> Settings:
    """Return those of the desired settings that are not as found, order in lists put aside."""
    found = found or {}
    return {key: value for key, value in desired.items() if canonical(found.get(key)) != canonical(value)}


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    """Return tags as most services want them: `[{"Key": …, "Value": …}, …]`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_dict(tags: list[dict[str, str]]) -> dict[str, str]:
    """Return tags as a dict, whatever the service's spelling of key and value."""
    return {tag.get("Key", tag.get("key", "")): tag.get("Value", tag.get("value", "")) for tag in tags}


def our_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return those of the tags that are ours; an empty role or protection is none."""
    ours = {key: value for key, value in tags.items() if key in (TAG_ENV, TAG_PIPELINE)}
    return ours | {name: tags[name] for name in MAY_BE_EMPTY if tags.get(name)}
