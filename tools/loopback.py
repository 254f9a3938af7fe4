"""Detection of loopback addresses: traffic to this machine needs no egress checks and must bypass proxies."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_local(url: str) -> bool:
    """Return whether a URL leads to this machine: localhost, or a loopback or unspecified address."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
