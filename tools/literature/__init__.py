"""Clinical literature: found, read, and cited to the sentence. For research; it gives no medical advice."""
