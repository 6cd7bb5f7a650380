"""Certificates: a self-signed one for tests, and until when one is good."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_YEAR = timedelta(days=365)
_CLOCKS = timedelta(hours=1)
"""Clients whose clocks are behind take it too."""


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, both PEM."""

    certificate: str
    key: str


def self_signed(names: Sequence[str], now: datetime, lifetime: timedelta = _YEAR) -> Certificate:
    """For hosts of these names and addresses; the first is its subject."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )


def expiry(pem: bytes) -> datetime:
    """When the first certificate of a PEM file expires. Raises ValueError."""
    return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
