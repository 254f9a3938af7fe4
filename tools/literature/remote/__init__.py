"""Remote sources, PubMed and Europe PMC: rate-limited, cached, and behind the egress control.

    FOLDER/
        answers.sqlite   answers, for `literature.cache_days` and to replay a run offline (`cache`)
        sent.jsonl       each query that was sent (`tools.privacy.egress`)

The request counters are elsewhere (`rate_limit`), since all folders and processes of a user share them.
"""

from __future__ import annotations

import re
from pathlib import Path

import platformdirs

from tools.errors import ConfigError, StoreError
from tools.literature.options import LiteratureOptions
from tools.literature.remote import europepmc, pubmed
from tools.literature.remote.cache import FILE_NAME, Cache
from tools.literature.remote.client import Client, check_url
from tools.literature.remote.clock import Timing
from tools.literature.remote.europepmc import EuropePMC
from tools.literature.remote.pubmed import PubMed
from tools.literature.remote.rate_limit import Bucket
from tools.literature.remote.vocabulary import is_word
from tools.privacy.egress import Allow, Gate, GateError, Show

__all__ = ["Allow", "EuropePMC", "GateError", "PubMed", "Show", "Timing", "open_remote"]

TOOL = "attend-agent"
"""Value of NCBI's parameter `tool`."""
_CONTACT = re.compile(r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")


def open_remote(
    name: str,
    options: LiteratureOptions,
    folder: Path,
    allow: Allow | None,
    *,
    show: Show | None = None,
    counters: Path | None = None,
    timing: Timing | None = None,
) -> PubMed | EuropePMC:
    """Open a remote source for one session; nothing is sent yet. Use it as a context, or `close` it.

    Args:
        name: `pubmed` or `europepmc`.
        options: contact, key, URLs, age of the cache, offline or not, strictness of the filter.
        folder: folder of the answers and the log; created with access for this user only.
        allow: asks a person whether a query may go to a source, see `Allow`; asked until the first consent, which then
            applies to this object, and again for each query with a suspected name. None if nobody can be asked: then
            nothing is sent, unless `options.send_unasked`. Its errors propagate from `search` and `fetch`.
        show: shows a person each query that leaves.
        counters: file of the request counters, shared by all who use it; by default the user's.
        timing: the clock, and how to wait.

    Raises:
        ConfigError: if the source is unknown, the contact is missing or invalid, or a key or a URL is invalid.
        PhiError: with the filter `strict`, if Presidio or its language model is missing.
        StoreError: if the folder cannot be created; offline, if it has no answers.
    """
    if name not in ("pubmed", "europepmc"):
        raise ConfigError(f"unknown remote source {name!r}.", expected="'pubmed' or 'europepmc'")
    timing = timing or Timing()
    if not options.offline:
        _check(name, options)
        _make(folder)
    elif not (folder / FILE_NAME).is_file():
        raise StoreError(
            f"cannot answer offline: {str(folder)!r} has no {FILE_NAME!r}.",
            remedy="Use the folder of a run that asked remote sources, or set `literature.offline` to false.",
        )
    url = options.pubmed_url if name == "pubmed" else options.europepmc_url
    rate = europepmc.RATE if name == "europepmc" else pubmed.RATE_WITH_KEY if options.api_key else pubmed.RATE
    counted = counters or platformdirs.user_state_path("attend") / "requests.sqlite"
    client = Client(
        name=name,
        url=url,
        cache=Cache(folder, read_only=options.offline, timing=timing),
        max_age_s=options.cache_days * 86_400,
        offline=options.offline,
        bucket=Bucket(counted, check_url(name, url), rate, timing=timing),
        gate=Gate(
            name,
            folder,
            strictness=options.phi,
            known=options.known,
            is_word=is_word,
            allow=allow,
            unasked=options.send_unasked,
            show=show,
            now=timing.now,
        ),
        sender=_sender(options) if name == "pubmed" else {},
        method="POST" if name == "pubmed" else "GET",
        contact=options.contact,
        timing=timing,
    )
    return PubMed(client) if name == "pubmed" else EuropePMC(client)


def _sender(options: LiteratureOptions) -> dict[str, str]:
    sender = {"tool": TOOL, "email": options.contact}
    return sender | ({"api_key": options.api_key} if options.api_key else {})


def _check(name: str, options: LiteratureOptions) -> None:
    if not _CONTACT.fullmatch(options.contact):
        raise ConfigError(
            f"invalid `literature.contact` {options.contact!r}: {name} requires a contact.",
            expected="an e-mail address at which you can be reached",
            remedy="Set `literature.contact`, or search the local corpus only.",
        )
    if options.api_key and not re.fullmatch(r"[\x21-\x7e]{16,}", options.api_key):
        raise ConfigError(
            f"invalid `literature.api_key` of {len(options.api_key)} characters.",
            expected="the 36 letters and digits that NCBI shows in your account's settings",
            remedy="Correct it, or leave it out.",
        )


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StoreError(
            f"cannot create the folder {str(folder)!r} for this user only: {error}.", remedy="Choose another folder."
        ) from error
