"""Identity providers: what URLs and metadata are taken."""

from __future__ import annotations

import pytest

from fogbank.services.iam._providers import check_clients, check_thumbprints, host_of, valid_until
from fogbank.services.iam.errors import IamValidationError, InvalidInputError, LimitExceededError

NOW = 1_700_000_000_000
DESCRIPTOR = '<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="x"{}/>'


@pytest.mark.parametrize("url", ["https://idp.example.org", "https://idp.example.org/a/b"])
def test_urls_that_are_taken(url: str) -> None:
    """HTTPS, with or without a path."""
    assert host_of(url) == url.removeprefix("https://")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "idp.example.org",
        "http://idp.example.org",
        "https://idp",
        "https://idp.example.org:8443",
        "https://idp.example.org?a=b",
        "https://u@idp.example.org",
        "https://idp.example.org/a b",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Other schemes, ports, queries, users, blanks."""
    with pytest.raises(IamValidationError, match="Invalid Open ID Connect Provider URL"):
        host_of(url)


def test_quotas() -> None:
    """A hundred clients, five thumbprints."""
    check_clients(["c"] * 100)
    check_thumbprints(["t"] * 5)
    with pytest.raises(LimitExceededError, match="ClientIdsPerOpenIdConnectProvider: 100"):
        check_clients(["c"] * 101)
    with pytest.raises(InvalidInputError, match="fewer than 5 entries"):
        check_thumbprints(["t"] * 6)


def test_metadata_says_until_when_it_is_valid() -> None:
    """A date of any zone; a hundred years where it says nothing."""
    assert valid_until(DESCRIPTOR.format(' validUntil="2023-11-14T23:13:20+01:00"'), NOW) == NOW
    assert valid_until(DESCRIPTOR.format(' validUntil="2023-11-14T22:13:20"'), NOW) == NOW
    assert valid_until(DESCRIPTOR.format(""), NOW) > NOW + 99 * 365 * 86_400_000


@pytest.mark.parametrize(
    "document",
    [
        "",
        "not xml",
        "<a/>",
        "<EntityDescriptor/>",
        DESCRIPTOR.format(' validUntil="soon"'),
        '<!DOCTYPE a [<!ENTITY b "cccc">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    ],
)
def test_metadata_that_is_refused(document: str) -> None:
    """No XML, no descriptor, no date; and no entities, which could expand without end."""
    with pytest.raises(InvalidInputError, match="Could not parse metadata"):
        valid_until(document, NOW)
