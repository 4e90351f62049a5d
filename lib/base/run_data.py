"""The files in `run_data`: what is known of an account's environments beyond what AWS tells."""

import json
from pathlib import Path

from filelock import FileLock

from lib.base import paths

LOCK_TIMEOUT_S = 30


def file_of(account_id: str, prefix: str, env: str, what: str = "") -> Path:
    """Return where something of an environment is kept; no part of the name holds a hyphen but the last.

    Args:
        account_id: The environment's AWS account, 12 digits.
        prefix: Its prefix.
        env: Its name.
        what: What is kept, such as `backfill-migrate`; empty for the ledger.
    """
    name = "-".join(part for part in (account_id, prefix, env, what) if part)
    return paths.home() / "run_data" / f"{name}.json"


def forget_account(account_id: str) -> None:
    """Delete all that is written down of an account of which nothing exists any more.

    Args:
        account_id: 12 digits; ledgers and the progress of backfills name theirs.
    """
    for path in (paths.home() / "run_data").glob("*.json"):
        if json.loads(path.read_text("utf-8"))["account_id"] == account_id:
            path.unlink()


def move_addresses(account_id: str, before: str, after: str) -> None:
    """Write down the outputs of an account anew that are addresses there: it has another endpoint now.

    Args:
        account_id: 12 digits.
        before: The endpoint that it had, such as `https://127.0.0.1:4566`.
        after: The endpoint that it has.
    """
    for path in (paths.home() / "run_data").glob("*.json"):
        with FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT_S):
            content = json.loads(path.read_text("utf-8"))
            if content["account_id"] == account_id and "outputs" in content:
                for outputs in content["outputs"].values():
                    for name, value in outputs.items():
                        if value.startswith(f"{before}/"):
                            outputs[name] = after + value.removeprefix(before)
                paths.write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False))
