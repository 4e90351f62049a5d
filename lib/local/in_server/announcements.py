"""What the local AWS announces: said in a header of its answers, which `stand_ins.py` shows."""

HEADER = "x-runbook-local-aws"

TRANSLATED = "stand-in: Athena SQL: translated by sqlglot for the local engine, DuckDB"
CRAWLED = "stand-in: Glue crawler: the local AWS writes no tables; schemas are read from the objects here"
EXPORTED = "stand-in: DynamoDB export: the local AWS writes no files; the table is read here"
# What nothing stands in for, so that nobody relies on it.
NO_LOG_FILES = (
    "no stand-in: CloudTrail: the local AWS keeps the trail's settings, but records no calls and delivers no "
    "log files"
)
NO_REPORTS = (
    "no stand-in: S3 Inventory: the local AWS keeps the configuration of reports, but never writes a report"
)
NO_TRANSITIONS = (
    "no stand-in: S3 Lifecycle: the local AWS deletes what expires, but moves nothing to another class of "
    "storage"
)
MADE_WITH_OLD_NAME = (
    "no such bucket on AWS: since March 2018 nobody makes one of that name; the local AWS does, so that "
    "adopting one from before can be tried"
)
