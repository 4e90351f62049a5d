"""The environments of an account: each has a lock, in a bucket whose name says whose it is."""

import re
from typing import TYPE_CHECKING

from lib.engine.lock import PIPELINE
from lib.parameters import Parameters
from lib.resources.base import GLOBAL_REGION, Adopted
from lib.resources.iam import Role
from lib.resources.other_account import OtherAccount
from lib.resources.s3 import Bucket, bucket_names
from lib.target import Target

if TYPE_CHECKING:
    import pandas as pd


def environments(target: Target, parameters: Parameters) -> "pd.DataFrame":
    """Return what the runbook has made in an account, whoever ran it.

    Args:
        target: The AWS to look at.
        parameters: In which account.

    Returns:
        One row an environment: prefix, env, pipelines, regions, what it adopts, and in which other accounts
        its buckets live. Which pipelines there are, buckets and roles say; what else is in an environment,
        only its own deployer may list.
    """
    import pandas as pd

    everything = [*bucket_names(target.client("s3", target.home_region))]
    of_lock = rf"{PIPELINE}-lock-{parameters.account_id}-[a-z0-9-]+"
    lock = re.compile(rf"([a-z][a-z0-9]*)-([a-z][a-z0-9]*)-{of_lock}")
    described = [*Role.descriptions(target.client("iam", GLOBAL_REGION))]
    rows = []
    for prefix, env in sorted({found.groups() for name in everything if (found := lock.fullmatch(name))}):
        scope = parameters.model_copy(update={"prefix": prefix, "env": env}).scope()
        buckets = [*Bucket.of_names(everything, scope)]
        roles = [(name, text) for name, text in described if name.startswith(scope.beginning)]
        adopted = {
            f"{one.name} ({scope.pipeline_of(name)}, {one.role})"
            for name, text in roles
            for one in Adopted.described("", text)
        }
        names = {scope.pipeline_of(name) for name in [*(name for name, _ in buckets), *dict(roles)]}
        regions = {region for _, region in buckets}
        regions |= {one.region for _, text in roles for one in Adopted.described("", text)}
        others = {
            f"{one.account_id} ({scope.pipeline_of(name)}, {one.what})"
            for name, text in roles
            for one in OtherAccount.described("", text)
        }
        columns = (names - {PIPELINE}, regions, adopted, others)
        rows.append((prefix, env, *(", ".join(sorted(each)) for each in columns)))
    return pd.DataFrame(rows, columns=["prefix", "env", "pipelines", "regions", "adopts", "other accounts"])
