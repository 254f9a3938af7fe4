"""MedQ-Bench: perception and description of the quality of medical images."""
