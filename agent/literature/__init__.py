"""Clinical literature: the library, answers with checked citations, and agentic search."""
