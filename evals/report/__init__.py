"""Reports of runs: HTML, charts and terminal tables."""
