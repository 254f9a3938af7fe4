"""MedSPOT: click targets in medical imaging software, step after step, until the first miss."""
