"""GUI work: find a control (`grounding/`), act and verify (`actuators/`), and guard every action (`guard/`)."""
