"""Running a suite as an agent evaluation, on inspect-ai; a suite fills the seam in `evals.engine.suite`."""
