"""Gives stored addresses the server's port.

MiniStack stores queues by their URLs, with the port of the server that made them in it. Under another
port it says that the queue of a mapping is there and the mapping enabled, and never looks into the queue. On
AWS an address never changes. So queues, and their URLs in the environments of functions, get the port that
the server has now when they are loaded; what a client still calls by an old URL is found as before, by the
account and the name in it.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-message-identifiers.html
"""

import re

from ministack.services import lambda_svc, sqs

from lib.local.in_server.corrections import sqs as corrections

QUEUE_URL = re.compile(r"https://(127\.0\.0\.1|localhost):\d+/(\d{12})/([\w-]+(?:\.fifo)?)(?![\w-])")


@corrections.ADDRESSES.replacing("ministack.app:_load_persisted_state")
def load() -> None:
    """Load what was saved, under the address of today."""
    load.original()
    readdress_queues()
    named = {(account, name) for account, _, name in sqs._queue_name_to_url._data}
    for function in lambda_svc._functions._data.values():
        for record in (function, *function.get("versions", {}).values()):
            readdress_environment(record, named)


def readdress_queues() -> None:
    """Store each queue by the URL by which it is looked for."""
    queues = {}
    for scoped_key, queue in sqs._queues._data.items():
        account, region, name, _ = sqs._queue_scope_from_record(scoped_key, queue)
        queue["url"] = sqs._queue_url_for_account(account, name)
        queues[account, region, queue["url"]] = queue
    sqs._queues._data.clear()
    sqs._queues._data.update(queues)
    sqs._queue_name_to_url.clear()
    sqs._rebuild_queue_name_index()


def readdress_environment(function: dict, named: set[tuple[str, str]]) -> None:
    """Give the URLs of queues in a function's environment the port; whatever else is in it stays.

    Args:
        function: The function or a version of it.
        named: Accounts and names of the queues there are.
    """
    variables = function.get("config", {}).get("Environment", {}).get("Variables") or {}

    def here(found: re.Match) -> str:
        host, account, name = found.groups()
        known = (account, name) in named
        return f"https://{host}:{sqs.DEFAULT_PORT}/{account}/{name}" if known else found[0]

    for variable, value in variables.items():
        variables[variable] = QUEUE_URL.sub(here, value)
