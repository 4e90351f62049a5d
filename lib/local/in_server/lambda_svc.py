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


@corrections.CODE_LOCATION.replacing("ministack.services.lambda_svc:_presigned_code_url")
def code_location(name: str) -> str:
    """Return where a function's code can be had: from this server, which speaks TLS only."""
    return code_location.original(name).replace("http://", "https://", 1)
