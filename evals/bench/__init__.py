"""Benchmarks: programs that print what was measured, beside a named rival where there is one."""

import os

# As in `agent.cli.main`: threads that spin while they wait slow torch down on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
