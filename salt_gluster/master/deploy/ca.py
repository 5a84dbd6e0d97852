"""Sign the certificates of a pool's Consul agents, by an internal authority.

Consul checks the names in a certificate: only ``server.<datacenter>.consul`` may speak as a server
(``verify_server_hostname``), so a client never gets that name. Nothing here reads or writes a file.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: An internal authority that ends is an outage with a date: it outlives the machines.
CA_DAYS = 30 * 365
CERT_DAYS = 10 * 365
#: With less than this part of its life left a certificate is made anew.
LEFT = 1 / 3
#: Clocks of machines that were just installed differ.
_EARLIER = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """Who signs: certificate and key, as PEM."""

    certificate: str
    key: str = field(repr=False)

    @classmethod
    def new(cls, name: str, now: float) -> Authority:
        """Make one."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(signs=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        ]
        made = _builder(subject, subject, key, now, CA_DAYS, extensions).sign(key, hashes.SHA256())
        return cls(_pem(made), _key_pem(key))

    def sign(
        self, name: str, datacenter: str, now: float, *, server: bool, days: int = CERT_DAYS
    ) -> tuple[str, str]:
        """Return certificate and key of an agent, as PEM."""
        authority = x509.load_pem_x509_certificate(self.certificate.encode())
        signer = serialization.load_pem_private_key(self.key.encode(), None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise TypeError("the key of the authority is of another kind")
        key = ec.generate_private_key(ec.SECP256R1())
        roles = ["server", "client"] if server else ["client"]
        names = [f"{role}.{datacenter}.consul" for role in roles] + ["localhost"]
        alternatives: list[x509.GeneralName] = [x509.DNSName(n) for n in names]
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs=False), True),
            (x509.ExtendedKeyUsage(both), False),
            (x509.SubjectAlternativeName(alternatives), False),
            (x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False),
        ]
        subject = _name(name)
        made = _builder(subject, authority.subject, key, now, days, extensions)
        return _pem(made.sign(signer, hashes.SHA256())), _key_pem(key)


def is_due(certificate: str, now: float) -> bool:
    """Return whether a certificate, as PEM, has to be made anew; so has one that is none."""
    try:
        existing = x509.load_pem_x509_certificate(certificate.encode())
    except ValueError:
        return True
    begins, ends = _utc(existing, "not_valid_before"), _utc(existing, "not_valid_after")
    return (ends - _at(now)) < LEFT * (ends - begins)


def _utc(certificate: x509.Certificate, name: str) -> datetime.datetime:
    aware = getattr(certificate, f"{name}_utc", None)  # cryptography 42 and newer
    naive: datetime.datetime = aware or getattr(certificate, name)
    return naive.replace(tzinfo=datetime.timezone.utc)


def _at(now: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now, datetime.timezone.utc)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=signs, crl_sign=signs, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: float,
    days: int,
    extensions: list[tuple[x509.ExtensionType, bool]],
) -> x509.CertificateBuilder:
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_at(now) - _EARLIER)
        .not_valid_after(_at(now) + datetime.timedelta(days=days))
    )
    for extension, critical in extensions:
        made = made.add_extension(extension, critical=critical)
    return made


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()
