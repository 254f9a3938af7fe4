"""Clinical literature for people: the command, answers by a model, and the agent's own search for evidence."""
