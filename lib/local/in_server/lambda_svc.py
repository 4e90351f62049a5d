"""Correction of MiniStack's Lambda: `corrections/lambda_svc.py` says what of it, and why."""

from lib.local.in_server.corrections import lambda_svc as corrections


@corrections.ENVIRONMENTS.replacing("ministack.core.lambda_runtime:Worker.invoke")
def invoke(self, *arguments, **named) -> dict:
    """Invoke a function; a process that did not start fails this invocation only, and is begun anew later."""
    try:
        return invoke.original(self, *arguments, **named)
    except (RuntimeError, OSError) as error:  # said by its start; else by a pipe that nobody reads
        self.kill()
        return {"status": "error", "error": str(error)}
