"""From when to when a certificate counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from salt_gluster.master.deploy.ca import CA_DAYS, CERT_DAYS, Authority
from salt_gluster.node.certificates import validities, validity
from salt_gluster.status.certificates import certificates_in

NOW, DAY = 1_700_000_000.0, 86400.0


def test_each_tells_its_own_and_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    authority = Authority.new("salt-gluster main", NOW)
    (tmp_path / "ca").write_text(authority.certificate)
    (tmp_path / "cert").write_text(authority.sign("g1", "gluster", NOW, server=True)[0])
    (tmp_path / "broken").write_text("-----BEGIN CERTIFICATE-----\nno\n")
    files = {name: tmp_path / name for name in ("ca", "cert", "broken", "missing")}
    found = validities(files)
    assert found == {
        "ca": [NOW - DAY, NOW + CA_DAYS * DAY],
        "cert": [NOW - DAY, NOW + CERT_DAYS * DAY],
    }
    assert list(certificates_in({"certificates": found}, "g1")) == [
        ("certificate", "g1", NOW - DAY, NOW + CERT_DAYS * DAY),
        ("authority", "g1", NOW - DAY, NOW + CA_DAYS * DAY),
    ]
    for odd in (None, [], {"ca": 1}, {"ca": [1]}, {"ca": ["x", 2]}, {"ca": [True, 2.0]}):
        assert list(certificates_in({"certificates": odd}, "g1")) == []


@pytest.mark.parametrize("now", [NOW, 2_600_000_000.0])
def test_it_is_read_as_the_authority_wrote_it_also_beyond_2049(now: float) -> None:
    """Years from 2050 on stand there in another form."""
    assert validity(Authority.new("a", now).certificate) == (now - DAY, now + CA_DAYS * DAY)


@pytest.mark.parametrize(
    "text", ["", "no", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        validity(text)
