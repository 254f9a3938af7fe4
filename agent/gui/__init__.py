"""GUI runs from the command line: sessions, planning, approval and reporting."""
