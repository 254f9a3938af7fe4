"""Evaluation engine on inspect-ai; a suite implements the interface in `evals.engine.suite`."""
