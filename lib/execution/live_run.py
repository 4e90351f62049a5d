"""The live tier: the notebooks on a real account, in an environment of their own that is gone afterwards.

It has never run on a real account yet (docs/live.md); on the local AWS it is rehearsed.
"""

import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from lib.base.errors import ParameterError, RunbookError
from lib.base.signals import terminated_as_interrupted, uninterrupted
from lib.engine.inventory import Inventory
from lib.engine.lock import run_alone
from lib.execution.report import write_report
from lib.execution.run import DESTROY, Job, Result, execute_all, new_folder, select
from lib.operate import facts
from lib.operate.observe import cost
from lib.parameters import Parameters
from lib.resources.base import Scope
from lib.resources.s3 import Bucket
from lib.target import Target, connect

ENV = re.compile(r"live[0-9a-f]{6}")
# More than the samples of all notebooks; their largest object has eight megabytes.
OBJECTS, MEAN_BYTES = 1000, 1024**2
CRAWLS, QUERIES, QUERY_TB = 10, 200, 10 / 1024**2  # Athena bills at least 10 MB for a query
CLEANUP_TRIES, CLEANUP_WAIT_S = 3, 20  # a function's last words may make its log group anew


def new_env() -> str:
    """Return the name of an environment that nobody has: `live` and six random hexadecimal digits."""
    return f"live{secrets.token_hex(3)}"


def estimate(parameters: Parameters) -> pd.DataFrame:
    """Return what a run costs at most: as if everything ran for a whole day, which is more than it does.

    Args:
        parameters: Those of the pipelines say what an object takes, and how many some of them make.

    Returns:
        One row a pipeline, then the crawls and queries, last the total: US dollars.
    """
    day = cost.per_month(parameters, OBJECTS, MEAN_BYTES).loc[cost.TOTAL] / facts.DAYS_A_MONTH
    asked = {"glue_dpu_hour": CRAWLS * facts.DPU_HOURS_A_CRAWL, "athena_scan": QUERIES * QUERY_TB}
    rows = {**day.to_dict(), "crawls and queries": sum(cost.of(asked).values())}
    rows["total"] = sum(rows.values())
    return pd.DataFrame(rows.items(), columns=["for a day", "usd"])


def require_below(cap_usd: float, estimated: pd.DataFrame) -> None:
    """Refuse a run whose estimate is above the cap.

    Args:
        cap_usd: What it may cost, in US dollars.
        estimated: What `estimate` returned.

    Raises:
        ParameterError: If it is estimated to cost more.
    """
    total = estimated["usd"].iloc[-1]
    if total > cap_usd:
        raise ParameterError(
            f"estimated at {total:.2f} USD, above the cap of {cap_usd:.2f} USD; nothing was done"
        )


def leftovers(target: Target, parameters: Parameters) -> list[str]:
    """Return the environments of earlier live runs of which something is left.

    Every environment has a bucket, that of its lock, from its first moment to its last.

    Args:
        target: The account.
        parameters: `prefix` decides.

    Returns:
        Their names, sorted.
    """
    ours = Scope(parameters.prefix, "", "", parameters.account_id)
    names = (name for name, _ in Bucket.names(target.client("s3", target.home_region), ours))
    envs = {name.removeprefix(ours.beginning).split("-")[0] for name in names}
    return sorted(env for env in envs if ENV.fullmatch(env))


def clean(parameters: Parameters, env: str) -> int:
    """Delete all of an environment, and prove that nothing of it is left.

    Args:
        parameters: Of a live run.
        env: Its environment, or that of an earlier run.

    Returns:
        How many resources were deleted.

    Raises:
        ParameterError: If the environment is none of a live run.
        RunbookError: If something is left, or somebody works on it.
    """
    if not ENV.fullmatch(env):
        raise ParameterError(f"env {env!r} was not made by a live run; nothing was deleted")
    return _clean(parameters.model_copy(update={"env": env, "mode": "apply"}))


@retry(
    retry=retry_if_exception_type((RunbookError, ClientError, BotoCoreError)),
    stop=stop_after_attempt(CLEANUP_TRIES),
    wait=wait_fixed(CLEANUP_WAIT_S),
    reraise=True,
)
def _clean(theirs: Parameters) -> int:
    inventory = Inventory(connect(theirs), theirs)
    deleted = inventory.destroy()
    inventory.prove_empty()
    inventory.ledger.path.unlink(missing_ok=True)
    return len(deleted)


def run(parameters: Parameters, notebooks: list[Path]) -> tuple[list[Result], Path]:
    """Execute notebooks and then 90_destroy; whatever becomes of them, nothing is left afterwards.

    Args:
        parameters: They say where: a new environment, on a real account.
        notebooks: In this order.

    Returns:
        Their results, and the report.

    Raises:
        RunbookError: If it could not be cleaned up; names what is left.
    """
    began, results = datetime.now(UTC), list[Result]()
    folder = new_folder(began)
    try:
        with terminated_as_interrupted(), run_alone(parameters, makes_roles=True):
            results += execute_all([Job(notebook) for notebook in notebooks], parameters, folder)
        with run_alone(parameters):
            results += execute_all([Job(notebook) for notebook in select([DESTROY])], parameters, folder)
    finally:
        with uninterrupted("Cleaning up"):
            left = clean(parameters, parameters.env)
            print(f"Cleaned up: {left} deleted that 90_destroy had not, nothing is left")
    return results, write_report(folder, results, parameters, began)
