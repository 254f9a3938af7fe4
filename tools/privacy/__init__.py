"""Personal details: found by their shapes and names, taken out of texts and pictures, and kept from leaving."""
