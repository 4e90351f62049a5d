"""The certificate of the local AWS: private, kept, and good enough for who verifies strictly."""

import socket
import ssl
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.local.certificate import ensure_certificate


def strict(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(certificate))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_who_verifies_strictly_trusts_it_for_this_machine_only(tmp_path, host):
    certificate, key = ensure_certificate(tmp_path / "tls")
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)

    def greet(name: str) -> None:
        here, there = socket.socketpair()
        with here, there, ThreadPoolExecutor(1) as threads:
            served = threads.submit(serving.wrap_socket, there, server_side=True)
            try:
                strict(certificate).wrap_socket(here, server_hostname=name).close()
            finally:
                here.close()
                served.exception()

    greet(host)
    with pytest.raises(ssl.SSLCertVerificationError):
        greet("example.org")


def test_its_key_is_the_owner_s_alone_and_both_are_kept(tmp_path):
    first = ensure_certificate(tmp_path / "tls")
    texts = [path.read_bytes() for path in first]
    assert stat.S_IMODE(first[1].stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "tls").stat().st_mode) == 0o700
    assert ensure_certificate(tmp_path / "tls") == first
    assert [path.read_bytes() for path in first] == texts


def test_a_key_without_its_certificate_is_made_anew_with_it(tmp_path):
    """As after a process that was killed between the two."""
    certificate, key = ensure_certificate(tmp_path / "tls")
    certificate.unlink()
    ensure_certificate(tmp_path / "tls")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
