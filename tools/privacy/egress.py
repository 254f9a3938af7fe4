"""What may leave the machine as a query: nothing that tells who a patient is, and nothing that a person did not allow.

A query goes through `Gate.clean` first, which takes out what `redact`, `ages`, `names` and `detect` find.
What is left is shown to a person before the first one leaves, and once more each time where a name may be left in it;
each one that leaves is logged before it does, and shown. Whatever goes wrong on this way, nothing is sent. The rules
miss things, which is why a person is asked.
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
"""Asks a person whether a query, the first argument, may go to a source, the second, and tells which words of it may be
a name or a place, the third; "" where none are suspected. Only `True` is a yes."""
Show = Callable[[str, str], None]
"""Shows a person a query that leaves, the first argument, for a source, the second."""
LOG_NAME = "sent.jsonl"
MAX_CHARS = 2000
"""A longer text is somebody's record, not a query; our choice."""
_ROUNDS = 8
_LABEL = re.compile(
    r"(?i)(?<!\w)(?:m\.?r\.?n|medical record(?: number| no)?|patient(?:in)?(?:[ _-]?(?:id|name|number|no|nr))?"
    r"|pat[. ]?id|(?:first |last |sur)?name|pid|id|nhs(?: number| no)?|accession(?: number| no)?|case (?:number|no)|nom"
    rf"|nombre|fall(?:nummer|nr)|{TITLE}|tel|phone|mobile|fax|e?-?mail)"
    r"\b[\s:.,#=№-]*$"
)
"""What comes before a detail and means nothing without it; a server would look for it in every document.

It holds fewer labels than the detectors know: the next round finds what follows a label only while the label is there.
"""
_LOG = logging.getLogger(__name__)


class GateError(AttendError):
    """A query may not leave the machine; nothing was sent."""


class Gate:
    """The way out to one source, for one session. Threads may share it.

    A yes holds as long as this object, for queries in which no name is suspected; one with such a name is asked about
    by itself.

    Args:
        source: its name.
        folder: where the log of what left lies, `sent.jsonl`, one line each.
        is_word: tells which words are not names, by the vocabulary of the source's field.
        strictness: as in `Redactor`.
        known: details of the session, such as the patient's name and number; they are always found.
        allow: asks a person; None where nobody can be asked, and then nothing is sent.
        unasked: whether queries may leave without a person's yes; not those in which a name is suspected, nor those
            with a word that is in no list of words.
        show: shows a person each query that leaves.
        now: the clock, in seconds since the epoch.

    Raises:
        PhiError: with `strict`, where Presidio or its language model is missing.
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
        """A query without what tells who a patient is.

        Raises:
            GateError: if it is too long for a query, nothing is left, or it cannot be searched for whatever reason.
        """
        text = plain(query)
        if len(text) > MAX_CHARS:
            raise GateError(
                f"a query of {len(text)} characters was not sent: it may be a patient's record.",
                expected=f"at most {MAX_CHARS} characters",
                remedy="Ask a shorter question.",
            )
        for _ in range(_ROUNDS):  # what is taken out may bring together what is to be taken out
            before, text = text, self._strip(text)
            if text == before:
                break
        else:
            raise GateError("a query does not come to an end of personal details.", remedy="Ask it in other words.")
        if not re.search(r"\w\w", text):
            raise GateError(
                "nothing of the query is left without its personal details.", remedy="Ask for the disease or the drug."
            )
        return text

    def check(self, values: Sequence[str]) -> None:
        """Raise GateError if one of the values, such as headings to filter by, holds what `clean` would take out."""
        for value in values:
            text = plain(value)
            if not text or len(text) > MAX_CHARS or self._strip(text) != text:
                raise GateError(
                    f"a filter of {len(value)} characters is empty, or looks as if it held a personal detail.",
                    remedy="Filter by a heading or a publication type as PubMed spells it, or leave the filter out.",
                )

    def knows(self, text: str) -> bool:
        """Whether a text, such as an id that somebody gives, holds a known detail of the session. Raises GateError."""
        return any(one.kind == "KNOWN" for one in self._findings(plain(text)))

    def suspect(self, text: str, *queries: str) -> None:
        """Have a person asked about a text by itself, if a name may be left in the clean queries that it is made of.

        What may leave unasked must have no word that is in no list, either.
        """
        names = [name for query in queries for name in possible_names(query, self._is_word)]
        if self.unasked:
            names += [word for query in queries for word in strange_words(query, self._is_word)]
        names = [name for name in names if not any(name != other and name in other for other in names)]
        if names:
            self._suspected[text] = ", ".join(f"“{name}”" for name in dict.fromkeys(names))

    def suspected(self, text: str) -> str:
        """The words of a text that may be a name or a place, in quotes; "" where none are."""
        return self._suspected.get(text, "")

    def wants_yes(self, text: str) -> bool:
        """Whether a person has to be asked before a text is sent, who has not refused it."""
        return text not in self._refused and self._lacks_yes(text)

    def _lacks_yes(self, text: str) -> bool:
        return text not in self._granted and (not (self._allowed or self.unasked) or text in self._suspected)

    def permit(self, text: str, short: str = "") -> None:
        """Have a person allow the first text to be sent, and log each.

        Args:
            text: what is to be sent, as `clean` left it.
            short: what a person is shown in its place.

        Raises:
            GateError: if nobody can be asked, a person said no (which holds for this text; another one is asked about),
                or the log cannot be written.
        """
        with self._lock:  # two threads ask once
            if self._lacks_yes(text):
                self._ask(short or text, text)
            self._write(text)
        _LOG.info("sent to %s: %s", self.source, text)
        if self._show is not None:
            self._show(short or text, self.source)

    def _ask(self, text: str, whole: str) -> None:
        if self._allow is None and self.unasked:
            raise GateError(
                f"nothing was sent to {self.source}: nobody can be asked, and a name or a place may be left in the "
                f"query: {self._suspected[whole]}.",
                remedy="Leave it out, or ask from a terminal or the chat; behind the name of a disease, write what it "
                "is, such as 'syndrome'.",
            )
        if self._allow is None:
            raise GateError(
                f"nothing was sent to {self.source}: nobody can be asked whether a query may leave this machine.",
                remedy="Ask from a terminal or the chat, or allow it in general with `literature.send_unasked = true`.",
            )
        # What it raises goes to the caller, who may put a question to a person by it; nothing has been sent.
        if text in self._refused or self._allow(text, self.source, self.suspected(whole)) is not True:
            self._refused.add(text)
            raise GateError(f"nothing was sent to {self.source}: it was not allowed.", remedy="Use a local corpus.")
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
                    raise OSError("only a part was written")
            finally:
                os.close(handle)
        except OSError as error:
            raise GateError(
                f"nothing was sent to {self.source}: it cannot be logged in {str(self.log)!r}: {error}.",
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
        except Exception as error:  # Presidio may fail in any way, and then nothing may leave
            raise GateError(
                f"a query was not sent: it cannot be searched for personal details ({type(error).__name__}).",
                remedy="Mend the installation of Presidio and its language model, or use a local corpus.",
            ) from error
        return [
            one
            for one in found
            if not (one.kind == "NAME" and text[one.start : one.end].split(",")[0] in word_set("acronyms"))
        ]


def _tidy(text: str) -> str:
    """A text without what is left of a detail's surroundings: empty brackets and quotes, doubled and dangling signs."""
    text = re.sub(r"\"\s*\"(?:\[[^\]]*\])?|\(\s*\)|\[\s*\]", " ", text)
    text = re.sub(r"\s+([,.;:!?)\]])", r"\1", text)
    text = re.sub(r"([,;:])(?:\s*[,;:])+", r"\1", text)
    return " ".join(text.split()).strip(" ,;:-")
