"""How the adapter of the embedded model is trained; see `python -m agent.mllm.embedded.train --help`."""
