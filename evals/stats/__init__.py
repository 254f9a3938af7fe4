"""Statistics of runs: means with intervals, paired comparison, power, agreement."""
