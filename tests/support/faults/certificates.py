"""Certificates for `localhost`, good and bad, by authorities made for the moment that nobody else trusts."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

_LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Certificates:
    """What servers present, by what is wrong with it; and the file with the authority that clients are to trust."""

    authority: Path
    good: ssl.SSLContext
    bad: dict[str, ssl.SSLContext]


def make(folder: Path) -> Certificates:
    """Make them; the authority's file goes to `folder`."""
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return Certificates(
        folder / "authority.pem",
        _presenting(authority.issue_cert("localhost")),
        {
            "unknown authority": _presenting(stranger.issue_cert("localhost")),
            "another name": _presenting(authority.issue_cert("another-name.invalid")),
            "expired": _presenting(
                authority.issue_cert("localhost", not_before=_LONG_AGO, not_after=_LONG_AGO + dt.timedelta(days=1))
            ),
        },
    )


def _presenting(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
