"""What the agent has seen. Imports `tools.media` and `tools.errors`, and neither `agent` nor `evals`."""
