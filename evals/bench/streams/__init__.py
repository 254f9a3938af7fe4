"""Long streams with exact ground truth, questions by the age of their evidence, and scoring of answers."""
