"""Literature in the chat: the tool, where there is something to search, and a person's yes before anything leaves."""

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
    "A yes holds for this source until this chat is closed. Later queries are shown as they leave; one in which a name "
    "may be left is asked about again."
)
MOST_CHARS = 500
"""Of a request to a person, as `tools.ask_user.Intervention` has it."""
_YES = frozenset({"yes", "y", "ok", "okay", "sure", "send", "send it"})


@contextmanager
def literature_tools(config: Config) -> Iterator[tuple[tuple[BaseTool, ...], tuple[Finding, ...]]]:
    """The literature tool, and what cannot be searched; no tool where nothing is indexed and no remote source is set.

    What is wrong with the literature keeps nobody from the chat: it is told, and the chat goes on without.
    """
    names = searchable_literature(config)
    if not names:
        yield (), ()
        return
    consent = _Consent()
    with ExitStack() as stack:
        try:
            library = stack.enter_context(open_library(config, names=names, allow=consent.allow, show=_show))
        except AttendError as error:
            yield (), (Finding(what="no literature", problem=error.problem, remedy=error.remedy or error.expected),)
            return

        def retrieve(query: str, limit: int) -> Retrieved:
            consent.ask(library, query)
            return library.retrieve(query, limit=limit)

        yield (make_literature(retrieve),), ()


class _Consent:
    """A person's word on what may leave, for one chat.

    A run that waits for a person is run again from its start when the reply is there, and replies have no names: the
    first question of a run gets the first reply. So a search puts one question at most, for all sources, and before
    anything is sent.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], bool] = {}
        self._too_long: set[tuple[str, str]] = set()

    def ask(self, library: Library, query: str) -> None:
        """Ask about all that a search would send and that was not allowed yet."""
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
        self._said |= {(text, source): _is_yes(reply) for source, text in wanted.items()}

    def allow(self, text: str, source: str, suspected: str = "") -> bool:
        """Whether the person said yes to a text, or to a search of the source whose records are asked for.

        Raises:
            GateError: if it could not be shown as a whole.
        """
        from tools.literature.remote import GateError

        if (text, source) in self._too_long:
            raise GateError(
                f"nothing was sent to {source}: the query is too long to be shown to a person.",
                remedy="Search for fewer words.",
            )
        searched = any(yes for (_, name), yes in self._said.items() if name == source)
        return self._said.get((text, source), searched)


def _request(wanted: dict[str, str], suspected: str) -> str:
    """The question whether texts may be sent, each text once, and which of their words may name a person or a place."""
    sources: dict[str, list[str]] = {}
    for source, text in wanted.items():
        sources.setdefault(text, []).append(source)
    told = "; ".join(f"to {' and '.join(names)}: {text}" for text, names in sources.items())
    scope = SCOPE if len(wanted) < 2 else SCOPE.replace("this source", "these sources")
    name = f"It may hold a name or a place: {suspected}. " if suspected else ""
    return f"May this be sent on the network? {told.removesuffix('.')}. {name}{scope}"


def _is_yes(reply: object) -> bool:
    try:
        return Reply.model_validate(reply).text.strip(" .!").casefold() in _YES
    except ValidationError:
        return False


def _show(text: str, source: str) -> None:
    get_stream_writer()(Sent(source=source, query=text))
