"""OVO-Bench: backward, real-time and forward questions about moments of videos."""
