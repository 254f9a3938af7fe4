"""Clinical literature: search, reading, and citation by sentence. For research; it gives no medical advice."""
