"""Literature in the chat: the tool, where there is something to search, and a person's yes before anything leaves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from langchain_core.tools import BaseTool
from langgraph.types import interrupt
from pydantic import ValidationError

from agent.config import Config
from agent.literature.library import has_corpus, open_library
from agent.mllm.protocol import Finding
from tools.ask_user import Intervention, Reply
from tools.errors import AttendError
from tools.literature.tool import make_literature

_YES = frozenset({"yes", "y", "ok", "okay", "sure", "send", "send it"})


@contextmanager
def literature_tools(config: Config) -> Iterator[tuple[tuple[BaseTool, ...], tuple[Finding, ...]]]:
    """The literature tool, and what cannot be searched; no tool where nothing is indexed and no remote source is set.

    What is wrong with the literature keeps nobody from the chat: it is told, and the chat goes on without.
    """
    names = [name for name in config.literature.sources if name != "local" or has_corpus(config)]
    if not names:
        yield (), ()
        return
    with ExitStack() as stack:
        try:
            library = stack.enter_context(open_library(config, names=names, allow=_allow))
        except AttendError as error:
            yield (), (Finding(what="no literature", problem=error.problem, remedy=error.remedy or error.expected),)
            return
        yield (make_literature(lambda query, limit: library.retrieve(query, limit=limit)),), ()


def _allow(query: str, source: str) -> bool:
    """Ask the person whether a query may leave. The run waits; when it goes on, this is asked for once more, and has
    the answer."""
    request = Intervention(kind="confirm", request=f"May this be sent to {source}, on the network? {query}"[:500])
    reply = interrupt(request.model_dump())
    try:
        return Reply.model_validate(reply).text.strip(" .!").casefold() in _YES
    except ValidationError:
        return False
