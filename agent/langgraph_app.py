"""Graph for `langgraph dev`, named in `langgraph.json`; watches the configured `source` with the configured model."""

from __future__ import annotations

import asyncio
from functools import cache

from langgraph.graph.state import CompiledStateGraph

from agent.config import load_config
from agent.core.graph import build_graph
from agent.core.state import State
from agent.literature.citations import LiteratureCitations
from agent.models import load_mllm
from agent.perception.session import open_source_session
from tools.errors import ConfigError
from tools.registry import make_tools


async def make_graph() -> CompiledStateGraph[State]:
    """Build the graph once, in a thread; the server brings its own checkpointer.

    Raises:
        ConfigError: if no source is configured.
    """
    async with _building:
        return await asyncio.to_thread(_build)


_building = asyncio.Lock()


@cache
def _build() -> CompiledStateGraph[State]:
    config = load_config()
    if not config.source:
        raise ConfigError(
            "no source configured.", remedy="Set ATTEND_SOURCE, or `source` in attend.toml, to a clip or camera."
        )
    model = load_mllm(config.model, config.mllm)
    model.preflight()
    session = open_source_session(config.source, config, realtime=True)
    return build_graph(model, session.view, make_tools(session.view), config.limits, documents=LiteratureCitations())
