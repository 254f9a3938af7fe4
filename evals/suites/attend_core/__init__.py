"""attend-core: Attend's own suite, drawn by code, that needs no download."""
