"""Recording of a person's work on a screen as a workflow."""
