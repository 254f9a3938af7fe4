"""attend-core: Attend's own suite, drawn by code, without a download."""
