"""Correction of MiniStack's Lambda.

When the process of one execution environment ends while it starts, MiniStack 1.5.33 kills all those of the
function, whether they start or work; those end while they start, and so on. In AWS each is on its own.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from ministack.core import lambda_runtime

_invoke = lambda_runtime.Worker.invoke


def invoke(self, *arguments, **named) -> dict:
    """Invoke a function; a process that did not start fails this invocation only, and is begun anew later."""
    try:
        return _invoke(self, *arguments, **named)
    except (RuntimeError, OSError) as error:  # said by its start; else by a pipe that nobody reads
        self.kill()
        return {"status": "error", "error": str(error)}


lambda_runtime.Worker.invoke = invoke
