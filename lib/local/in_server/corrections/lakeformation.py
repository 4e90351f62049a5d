"""Lake Formation: what MiniStack does otherwise."""

from lib.local.in_server.correction import ABSENT, NOT_FOUND, Correction

SETTINGS = Correction(
    name="lakeformation-settings",
    title="There is no Lake Formation: GetDataLakeSettings answers 400, Unsupported service",
    replaces={
        "ministack.core.router:SERVICE_PATTERNS[lakeformation]": ABSENT,
        "ministack.app:SERVICE_HANDLERS[lakeformation]": ABSENT,
    },
    ministack="All its calls are refused with a 400 that is no error of the service's.",
    aws="In an account in which nobody has changed it, new databases and tables are given to "
    "IAM_ALLOWED_PRINCIPALS, so that IAM decides.",
    sources=(
        "https://docs.aws.amazon.com/lake-formation/latest/dg/change-settings.html",
        "https://docs.aws.amazon.com/lake-formation/latest/APIReference/API_GetDataLakeSettings.html",
    ),
    upstream=NOT_FOUND,
    change="Answer GetDataLakeSettings with the defaults.",
    reproduce="""
settings = client("lakeformation").get_data_lake_settings()["DataLakeSettings"]
for name in ("CreateDatabaseDefaultPermissions", "CreateTableDefaultPermissions"):
    (given,) = settings[name]
    assert given["Principal"]["DataLakePrincipalIdentifier"] == "IAM_ALLOWED_PRINCIPALS", given
    assert given["Permissions"] == ["ALL"], given
""",
)
