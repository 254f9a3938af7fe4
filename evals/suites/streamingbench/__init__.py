"""StreamingBench (THUNLP-MT): multiple-choice and proactive questions about moments of videos."""
