"""Downloads of models: from the hub, from Python packages, or from files that are already there."""
