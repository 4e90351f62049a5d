"""Credentials of a role that is taken on, by botocore's own means: in memory, and renewed as they expire."""

from collections.abc import Callable

from botocore.client import BaseClient
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    CredentialResolver,
    Credentials,
    DeferredRefreshableCredentials,
)

METHOD = "assume-role"


class _Provider(CredentialProvider):
    """Gives a session the role's credentials, and asks for them when the first call needs them."""

    METHOD = METHOD

    def __init__(self, fetcher: AssumeRoleCredentialFetcher):
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> Credentials:
        return DeferredRefreshableCredentials(method=METHOD, refresh_using=self._fetcher.fetch_credentials)


def resolver(
    make_sts: Callable[..., BaseClient],
    credentials: Credentials,
    role_arn: str,
    session_name: str,
    external_id: str = "",
) -> CredentialResolver:
    """Return what a botocore session gets the credentials of a role from; nothing is asked yet.

    Args:
        make_sts: Makes the client that takes the role on, of the keys that it is given as boto3's
            `session.client` is.
        credentials: Of whoever takes it on.
        role_arn: The role.
        session_name: What the account of the role sees in its logs: 2 to 64 letters, digits and _+=,.@-.
        external_id: What the role's trust policy expects; empty for nothing.
    """
    how = {"RoleSessionName": session_name} | ({"ExternalId": external_id} if external_id else {})
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda _service, **keys: make_sts(**keys),
        source_credentials=credentials,
        role_arn=role_arn,
        extra_args=how,
    )
    return CredentialResolver(providers=[_Provider(fetcher)])
