"""Lake Formation, which MiniStack has not: as it is in an account in which nobody has set it up."""

from ministack.core.responses import json_response

from lib.local.in_server.announcing import refused
from lib.local.in_server.corrections import lakeformation as corrections
from lib.local.in_server.not_here import not_here

BY_IAM = [{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}]
SETTINGS = {
    "DataLakeAdmins": [],
    "CreateDatabaseDefaultPermissions": BY_IAM,
    "CreateTableDefaultPermissions": BY_IAM,
}


async def handle_request(method: str, path: str, *_: object) -> tuple:
    """Tell that IAM decides, as it does here; refuse all else."""
    if path == "/GetDataLakeSettings":
        return json_response({"DataLakeSettings": SETTINGS})
    why = "it has no Lake Formation: what may be read and written here, IAM says alone"
    return refused(not_here(path.strip("/"), why, "leave it out"))


corrections.SETTINGS.adding(
    "ministack.core.router:SERVICE_PATTERNS[lakeformation]", {"host_patterns": [r"lakeformation\."]}
)
corrections.SETTINGS.adding("ministack.app:SERVICE_HANDLERS[lakeformation]", handle_request)
