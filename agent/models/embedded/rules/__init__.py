"""Answer rules of the embedded model, by question type."""
