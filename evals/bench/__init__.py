"""Benchmarks: programs that print measurements, beside a named baseline where there is one."""

import os

# As in `agent.cli.main`: threads that spin while waiting slow torch down on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
