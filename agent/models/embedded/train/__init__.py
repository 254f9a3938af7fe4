"""How the adapter of the embedded model is trained; see `python -m agent.models.embedded.train --help`."""
