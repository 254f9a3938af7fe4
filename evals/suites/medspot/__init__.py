"""MedSPOT: click targets in medical imaging software, step by step, until the first miss."""
