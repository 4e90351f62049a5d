"""A described stack as other tools have it: CloudFormation's templates, Terraform's configuration."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lib.engine.infrastructure_as_code.declarations import NoEqual

FOLDER = "code"  # of functions
SUFFIX = ".template.json"  # of a template of CloudFormation, after its region
FILE = "main.tf.json"  # of Terraform
IMPORTS = "imports.tf.json"  # for this environment only: without this file it makes another


@dataclass(frozen=True)
class Exported:
    """Files, and what they do not say.

    Attributes:
        files: Paths in a folder to contents, in the order in which they are to be used.
        no_equal: What of the stack they cannot tell.
    """

    files: dict[str, bytes]
    no_equal: "list[NoEqual]"
