"""The key that messages are signed with. Apart from the rest, because its library takes 50 ms to import.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

_BITS = 2048
_YEARS = 20
_HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - what version 1 of the protocol prescribes
_PADDING = padding.PKCS1v15()


class Key:
    """A private key with its certificate (PEM)."""

    def __init__(self, private: bytes, certificate: bytes) -> None:
        loaded = serialization.load_der_private_key(private, None)
        assert isinstance(loaded, rsa.RSAPrivateKey), "we made it"
        self._key = loaded
        self.private = private
        self.certificate = certificate
        self.name = f"SimpleNotificationService-{hashlib.sha256(certificate).hexdigest()[:32]}.pem"

    def sign(self, text: str, version: str) -> str:
        """The signature of a text, in base64."""
        return base64.b64encode(self._key.sign(text.encode(), _PADDING, _HASHES[version])).decode()


def make(now: float, serial: int) -> tuple[bytes, bytes]:
    """A new private key (PKCS #8, DER) and a certificate (PEM) that it signed itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com (Fogbank)")])
    begin = datetime.fromtimestamp(now, UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * _YEARS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)
