"""The certificate with which the local AWS speaks https, and which its clients trust.

MiniStack can make its own, but needs an `openssl` of the right flavour on the PATH for it, on each start.
"""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lib.base.paths import write_atomically

# It never leaves this machine and goes with the state folder, so it need not be renewed.
VALID_DAYS = 3650


def ensure_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1 and localhost unless the folder holds one.

    Args:
        folder: Where `server.crt` and `server.key` are kept, readable by the owner only.

    Returns:
        The certificate's and the key's path, both PEM.
    """
    certificate, key = folder / "server.crt", folder / "server.key"
    if not certificate.exists():  # written last, so it never lies beside a key that is not its own
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_key = ec.generate_private_key(ec.SECP256R1())
        pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        secret = private_key.private_bytes(pem, pkcs8, serialization.NoEncryption())
        write_atomically(key, secret.decode(), mode=0o600)
        write_atomically(certificate, _certificate(private_key).public_bytes(pem).decode(), mode=0o600)
    return certificate, key


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "runbook local AWS")])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + VALID_DAYS * day)
    )
    # The identifiers are there for Python 3.13, which verifies strictly (ssl.VERIFY_X509_STRICT).
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.SubjectAlternativeName(names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (identifier, False),
        (authority, False),
    ):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256())
