"""Whether a role's trust policy lets a service take it on."""


def trusts(policy: dict, service: str) -> bool:
    """Return whether a service may assume a role.

    Args:
        policy: The role's trust policy.
        service: Its principal, such as `glue.amazonaws.com`.
    """
    statements = policy.get("Statement", [])
    return any(
        statement["Effect"] == "Allow" and service in _services(statement)
        for statement in (statements if isinstance(statements, list) else [statements])
    )


def _services(statement: dict) -> list[str]:
    principal = statement.get("Principal", {})
    services = principal.get("Service", []) if isinstance(principal, dict) else []
    return services if isinstance(services, list) else [services]
