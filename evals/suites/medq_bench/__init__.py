"""MedQ-Bench: how well a model perceives and describes the quality of medical images."""
