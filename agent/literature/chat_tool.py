"""Literature tool of the chat, with a person's consent before queries are sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from langchain_core.tools import BaseTool
from langgraph.config import get_stream_writer
from langgraph.types import interrupt
from pydantic import ValidationError

from agent.config import Config, searchable_literature
from agent.core.events import Sent
from agent.literature.library import Library, open_library
from agent.models.protocol import Finding
from tools.ask_user import Intervention, Reply
from tools.errors import AttendError
from tools.literature.retrieval.retrieve import NO_FILTERS, Retrieved
from tools.literature.tool import make_literature
from tools.literature.types import Asks

SCOPE = (
    "Your consent covers this source until this chat is closed. Later queries are shown as they are sent; one that may "
    "contain a name needs your consent again."
)
MOST_CHARS = 500
"""Maximum length of a request to a person, as in `tools.ask_user.Intervention`."""
_YES = frozenset({"yes", "y", "ok", "okay", "sure", "send", "send it"})


@contextmanager
def literature_tools(config: Config) -> Iterator[tuple[tuple[BaseTool, ...], tuple[Finding, ...]]]:
    """Open the literature tool and return findings; no tool if nothing is indexed and no remote source is set.

    A problem with the literature becomes a finding, and the chat continues without the tool.
    """
    names = searchable_literature(config)
    if not names:
        yield (), ()
        return
    consent = _Consent()
    with ExitStack() as stack:
        try:
            library = stack.enter_context(open_library(config, names=names, allow=consent.allow, show=_emit_sent))
        except AttendError as error:
            yield (), (Finding(what="no literature", problem=error.problem, remedy=error.remedy or error.expected),)
            return

        def retrieve(query: str, limit: int) -> Retrieved:
            consent.ask(library, query)
            return library.retrieve(query, limit=limit)

        yield (make_literature(retrieve),), ()


class _Consent:
    """A person's consent to sending queries, for one chat.

    A run that waits for a person is run again from its start when the reply arrives, and replies are matched by order:
    the first question of a run gets the first reply. So a search asks at most once, for all sources, before anything is
    sent.
    """

    def __init__(self) -> None:
        self._consents: dict[tuple[str, str], bool] = {}
        self._too_long: set[tuple[str, str]] = set()

    def ask(self, library: Library, query: str) -> None:
        """Ask for consent to everything that a search would send and that is not covered yet."""
        wanted = {
            source.name: text
            for source in library.sources
            if isinstance(source, Asks) and (text := source.to_ask(query, NO_FILTERS))
        }
        names = {source.suspected(wanted[source.name]) for source in library.sources
                 if isinstance(source, Asks) and source.name in wanted}  # fmt: skip
        request = _request(wanted, ", ".join(sorted(filter(None, names))))
        if len(request) > MOST_CHARS:
            self._too_long |= {(text, source) for source, text in wanted.items()}
        if not wanted or len(request) > MOST_CHARS:
            return
        reply = interrupt(Intervention(kind="confirm", request=request).model_dump())
        self._consents |= {(text, source): _is_yes(reply) for source, text in wanted.items()}

    def allow(self, text: str, source: str, suspected: str = "") -> bool:
        """Return whether the person consented to a text, or to a search of the source.

        Raises:
            GateError: if the text is too long to show in full.
        """
        from tools.literature.remote import GateError

        if (text, source) in self._too_long:
            raise GateError(
                f"nothing was sent to {source}: the query is too long to show to a person.",
                remedy="Use fewer words.",
            )
        searched = any(yes for (_, name), yes in self._consents.items() if name == source)
        return self._consents.get((text, source), searched)


def _request(wanted: dict[str, str], suspected: str) -> str:
    """Return the question whether texts may be sent, each text once, with words that may name a person or place."""
    sources: dict[str, list[str]] = {}
    for source, text in wanted.items():
        sources.setdefault(text, []).append(source)
    texts = "; ".join(f"to {' and '.join(names)}: {text}" for text, names in sources.items())
    scope = SCOPE if len(wanted) < 2 else SCOPE.replace("this source", "these sources")
    name = f"It may contain a name or a place: {suspected}. " if suspected else ""
    return f"May this be sent on the network? {texts.removesuffix('.')}. {name}{scope}"


def _is_yes(reply: object) -> bool:
    try:
        return Reply.model_validate(reply).text.strip(" .!").casefold() in _YES
    except ValidationError:
        return False


def _emit_sent(text: str, source: str) -> None:
    get_stream_writer()(Sent(source=source, query=text))
