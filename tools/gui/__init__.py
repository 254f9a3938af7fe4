"""Work on a screen: find a control (`grounding/`), act and verify (`act/`), and the rules that hold (`guard/`)."""
