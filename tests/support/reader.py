"""Somebody who may only look: with lib/policies/reader-policy.json, on the local AWS."""

import json

from botocore.config import Config

from lib.base.call_ledger import ledger
from lib.base.paths import ROOT
from lib.local import deployer, deployer_policies, ministack
from lib.parameters import Parameters
from lib.resources.registry import call_names
from lib.target import CONFIG, Target

POLICY = ROOT / "lib" / "policies" / "reader-policy.json"
LOOKS = ("Get", "List", "Describe")
TELLS = ("sns:TagResource",)  # of the topic of alerts alone, but that MiniStack does not see


def target_of(server: ministack.LocalAws, parameters: Parameters) -> Target:
    """Return the local AWS as the reader of an environment sees it, who is made.

    MiniStack asks for some rights on other resources than AWS does: those that look are the reader's, too.
    """
    values = {"account_id": parameters.account_id, "prefix": parameters.prefix, "env": parameters.env}
    policies = deployer_policies._fill_in(POLICY, **values)
    for name, policy in deployer_policies._fill_in(deployer_policies.POLICY_FILES[-1], **values).items():
        statements = [
            {**one, "Action": looking}
            for one in policy["Statement"]
            if (looking := [a for a in one["Action"] if a in TELLS or a.split(":")[1].startswith(LOOKS)])
        ]
        policies[name] = {**policy, "Statement": statements}
    user = f"{parameters.prefix}-{parameters.env}-reader"
    iam = deployer.client(server, "iam", deployer.ROOT_KEY, deployer.ROOT_KEY)
    deployer._ensure_user(iam, user)
    documents = {f"{user}-{name}": json.dumps(policy) for name, policy in policies.items()}
    deployer_policies.attach(iam, user, documents, parameters.account_id)
    key = deployer._new_key(iam, user)
    session = deployer.new_session(key.access_key_id, key.secret_access_key)
    caller = f"arn:aws:iam::{parameters.account_id}:user/{user}"
    ledger().watch(session, call_names(), caller)
    return Target(
        "local",
        session=session,
        account_id=parameters.account_id,
        caller=caller,
        endpoint_url=server.endpoint_url,
        ca_bundle=server.ca_bundle,
        config=CONFIG.merge(Config(proxies={})),
    )
