"""How hypercorn serves MiniStack; runs in the server, inside .local-aws.

`python -m ministack` would do, but takes port 443 too and cannot be given a socket.
"""

import asyncio.constants
import importlib
import importlib.util
import os
import resource
import shutil
import sys
import threading
from pathlib import Path

# What handlers of earlier servers have left: a copy of its code for each.
threading.Thread(
    target=shutil.rmtree,
    args=[Path(os.environ["TMPDIR"]).with_name("discarded")],
    kwargs={"ignore_errors": True},
    daemon=True,
).start()

# As S3 speaks. A client that is offered HTTP/2 takes it, and loses what it has sent when hypercorn ends the
# connection after a thousand requests.
alpn_protocols = ["http/1.1"]
# In this process: the pid that was started is the server.
workers = 0
# As in MiniStack's own start: longer than clients keep idle connections.
keep_alive_timeout = 75
graceful_timeout = 1

# An idle https client never answers the server's goodbye, and asyncio would wait 30 s for it before MiniStack
# can save its state. https://docs.python.org/3/library/asyncio-stream.html (ssl_shutdown_timeout)
asyncio.constants.SSL_SHUTDOWN_TIMEOUT = 1.0

# As in MiniStack's own start: many files can be open when many handlers run.
_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_most, _most))

# What MiniStack gets wrong, and lacks. Not from the path: it would then lead from handlers to all of ours.
_lib = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location(
    "lib", _lib / "__init__.py", submodule_search_locations=[str(_lib)]
)
assert _spec and _spec.loader  # there is such a file
sys.modules["lib"] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules["lib"])
# Torn objects come first: MiniStack reads its objects when its S3 is imported. What saves comes last.
for _name in (
    "torn_objects",
    "athena",
    "cloudtrail",
    "cloudwatch",
    "dynamodb",
    "glue",
    "iam",
    "lakeformation",
    "lambda_code",
    "lambda_start",
    "lambda_svc",
    "logs",
    "s3",
    "s3_inventory",
    "s3_lifecycle",
    "sqs",
    "addresses",
    "deliveries",
    "saving",
):
    importlib.import_module(f"lib.local.in_server.{_name}")
# As late as AWS is, if it was started so; whoever is not has nothing of it.
if importlib.import_module("lib.local.in_server.lag_times").of_this_server():
    for _name in ("lag_iam", "lag_s3", "lag_queues", "lag_lambda", "lag_data", "lag_calls"):
        importlib.import_module(f"lib.local.in_server.{_name}")
