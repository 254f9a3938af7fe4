"""What the agent can do. A leaf: nothing here imports `agent`, `memory` or `evals`."""
