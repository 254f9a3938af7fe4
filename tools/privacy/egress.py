"""Egress control of queries: removes what identifies a patient, and sends nothing without a person's consent.

A query first passes `Gate.clean`, which removes what `redact`, `ages`, `names` and `detect` find. A person sees the
result before the first query leaves, and again for each query that may still contain a name; each query is logged
before it leaves, and shown. On any failure nothing is sent. The rules miss details, which is why a person is asked.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tools.errors import AttendError
from tools.privacy.ages import with_age_bands
from tools.privacy.detect import TITLE, Finding, plain, without
from tools.privacy.names import IsWord, possible_names, strange_words, without_patient_names
from tools.privacy.redact import Redactor, Strictness
from tools.privacy.words import word_set

Allow = Callable[[str, str, str], bool]
"""Asks a person whether a query (first argument) may go to a source (second), naming the words that may be a name or a
place (third; "" if there are none). Only `True` counts as consent."""
Show = Callable[[str, str], None]
"""Shows a person a query that leaves (first argument), for a source (second)."""
LOG_NAME = "sent.jsonl"
MAX_CHARS = 2000
"""A longer text is a patient's record rather than a query."""
_ROUNDS = 8
_LABEL = re.compile(
    r"(?i)(?<!\w)(?:m\.?r\.?n|medical record(?: number| no)?|patient(?:in)?(?:[ _-]?(?:id|name|number|no|nr))?"
    r"|pat[. ]?id|(?:first |last |sur)?name|pid|id|nhs(?: number| no)?|accession(?: number| no)?|case (?:number|no)|nom"
    rf"|nombre|fall(?:nummer|nr)|{TITLE}|tel|phone|mobile|fax|e?-?mail)"
    r"\b[\s:.,#=№-]*$"
)
"""Labels before a detail, meaningless without it; a server would search for them in every document.

Has fewer labels than the detectors: the next round finds what follows a label only while the label is there.
"""
_LOG = logging.getLogger(__name__)


class GateError(AttendError):
    """A query may not leave the machine; nothing was sent."""


class Gate:
    """The egress control of one source, for one session. Thread-safe.

    Consent lasts as long as this object, for queries without a suspected name; a query with one always needs its own
    consent.

    Args:
        source: its name.
        folder: folder of the log of sent queries, `sent.jsonl`, one per line.
        is_word: tells words from names, by the vocabulary of the source's field.
        strictness: as in `Redactor`.
        known: details of the session, such as the patient's name and number; always found.
        allow: asks a person; None if nobody can be asked, in which case nothing is sent.
        unasked: whether queries may leave without consent; never those with a suspected name or a word that is in no
            list.
        show: shows a person each query that leaves.
        now: clock, in seconds since the epoch.

    Raises:
        PhiError: with `strict`, if Presidio or its language model is missing.
    """

    def __init__(
        self,
        source: str,
        folder: Path,
        *,
        is_word: IsWord,
        strictness: Strictness = "on",
        known: Sequence[str] = (),
        allow: Allow | None = None,
        unasked: bool = False,
        show: Show | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.source, self.log, self.unasked = source, folder / LOG_NAME, unasked
        self._redactor = Redactor(strictness, [plain(detail) for detail in known])
        self._allow, self._show, self._is_word, self._now = allow, show, is_word, now
        self._lock, self._allowed, self._refused = threading.Lock(), False, set[str]()
        self._granted, self._suspected = set[str](), dict[str, str]()

    def clean(self, query: str) -> str:
        """Remove what identifies a patient from a query.

        Raises:
            GateError: if it is too long for a query, nothing is left, or the search for details fails.
        """
        text = plain(query)
        if len(text) > MAX_CHARS:
            raise GateError(
                f"cannot send a query of {len(text)} characters: it may be a patient's record.",
                expected=f"at most {MAX_CHARS} characters",
                remedy="Ask a shorter question.",
            )
        for _ in range(_ROUNDS):  # a removal may join two parts into a new detail
            before, text = text, self._strip(text)
            if text == before:
                break
        else:
            raise GateError("cannot remove all personal details from the query.", remedy="Rephrase it.")
        if not re.search(r"\w\w", text):
            raise GateError(
                "cannot send the query: nothing is left of it without personal details.",
                remedy="Ask for the disease or the drug.",
            )
        return text

    def check(self, values: Sequence[str]) -> None:
        """Raise GateError if a value, such as a heading to filter by, contains what `clean` would remove."""
        for value in values:
            text = plain(value)
            if not text or len(text) > MAX_CHARS or self._strip(text) != text:
                raise GateError(
                    f"invalid filter of {len(value)} characters: it is empty or may contain a personal detail.",
                    remedy="Filter by a heading or a publication type as PubMed spells it, or leave the filter out.",
                )

    def knows(self, text: str) -> bool:
        """Return whether a text, such as an id, contains a known detail of the session. Raises GateError."""
        return any(one.kind == "KNOWN" for one in self._findings(plain(text)))

    def suspect(self, text: str, *queries: str) -> None:
        """Mark a text as needing its own consent if a name may be left in the clean queries that it is made of.

        Without consent, it must also have no word that is in no word list.
        """
        names = [name for query in queries for name in possible_names(query, self._is_word)]
        if self.unasked:
            names += [word for query in queries for word in strange_words(query, self._is_word)]
        names = [name for name in names if not any(name != other and name in other for other in names)]
        if names:
            self._suspected[text] = ", ".join(f"“{name}”" for name in dict.fromkeys(names))

    def suspected(self, text: str) -> str:
        """Return the words of a text that may be a name or a place, in quotes; "" if there are none."""
        return self._suspected.get(text, "")

    def needs_consent(self, text: str) -> bool:
        """Return whether a person has to consent before a text is sent, and has not refused it."""
        return text not in self._refused and self._lacks_consent(text)

    def _lacks_consent(self, text: str) -> bool:
        return text not in self._granted and (not (self._allowed or self.unasked) or text in self._suspected)

    def permit(self, text: str, short: str = "") -> None:
        """Get consent to send the text, and log it.

        Args:
            text: the text to send, as returned by `clean`.
            short: shown to the person in its place.

        Raises:
            GateError: if nobody can be asked, a person refused (which applies to this text only), or the log cannot be
                written.
        """
        with self._lock:  # two threads ask only once
            if self._lacks_consent(text):
                self._ask(short or text, text)
            self._write(text)
        _LOG.info("sent to %s: %s", self.source, text)
        if self._show is not None:
            self._show(short or text, self.source)

    def _ask(self, text: str, whole: str) -> None:
        if self._allow is None and self.unasked:
            raise GateError(
                f"nothing was sent to {self.source}: nobody can be asked, and it may contain a name or a place: "
                f"{self._suspected[whole]}.",
                remedy="Leave it out, or ask from a terminal or the chat; after the name of a disease, add its kind, "
                "such as 'syndrome'.",
            )
        if self._allow is None:
            raise GateError(
                f"nothing was sent to {self.source}: nobody can be asked whether a query may leave this machine.",
                remedy="Ask from a terminal or the chat, or allow all with `literature.send_unasked = true`.",
            )
        # Errors of `allow` propagate: a caller may use them to ask a person; nothing has been sent.
        if text in self._refused or self._allow(text, self.source, self.suspected(whole)) is not True:
            self._refused.add(text)
            raise GateError(f"nothing was sent to {self.source}: a person refused it.", remedy="Use a local corpus.")
        self._allowed = True
        self._granted.add(text)

    def _write(self, text: str) -> None:
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "source": self.source, "text": text}, ensure_ascii=False) + "\n"
        try:
            self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                if os.write(handle, line.encode()) != len(line.encode()):
                    raise OSError("partial write")
            finally:
                os.close(handle)
        except OSError as error:
            raise GateError(
                f"nothing was sent to {self.source}: cannot log it in {str(self.log)!r}: {error}.",
                remedy="Check the disk and its permissions.",
            ) from error

    def _strip(self, text: str) -> str:
        text = with_age_bands(text)
        pieces, at = [], 0
        for finding in self._findings(text):
            pieces += [_LABEL.sub("", text[at : finding.start]), " "]
            at = finding.end
        return _tidy(without(without_patient_names("".join([*pieces, text[at:]]), self._is_word)))

    def _findings(self, text: str) -> list[Finding]:
        try:
            found = self._redactor.find(text)
        except Exception as error:  # Presidio may fail in any way; nothing may leave then
            raise GateError(
                f"cannot send a query: the search for personal details failed ({type(error).__name__}).",
                remedy="Repair the installation of Presidio and its language model, or use a local corpus.",
            ) from error
        return [
            one
            for one in found
            if not (one.kind == "NAME" and text[one.start : one.end].split(",")[0] in word_set("acronyms"))
        ]


def _tidy(text: str) -> str:
    """Clean up what a removed detail leaves behind: empty brackets and quotes, doubled and dangling signs."""
    text = re.sub(r"\"\s*\"(?:\[[^\]]*\])?|\(\s*\)|\[\s*\]", " ", text)
    text = re.sub(r"\s+([,.;:!?)\]])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    return " ".join(text.split()).strip(" ,;:-")
