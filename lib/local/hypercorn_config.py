"""How hypercorn serves MiniStack; runs in the server, inside .local-aws, so it imports nothing of ours.

`python -m ministack` would do, but takes port 443 too and cannot be given a socket.
"""

import asyncio.constants
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

# What MiniStack gets wrong. Not from the path: it would then lead from handlers to everything beside these.
# Torn objects come first: MiniStack reads its objects when its S3 is imported. What saves comes last.
for _name in (
    "torn_objects_in_server",
    "athena_in_server",
    "cloudtrail_in_server",
    "cloudwatch_in_server",
    "glue_in_server",
    "iam_in_server",
    "lambda_in_server",
    "logs_in_server",
    "s3_in_server",
    "s3_inventory_in_server",
    "sqs_in_server",
    "addresses_in_server",
    "deliveries_in_server",
    "saving_in_server",
):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
    sys.modules[_name] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules[_name])
