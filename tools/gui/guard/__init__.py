"""The guard of GUI work: permissions, approvals, patient identity, the kill switch and the audit log.

`guarded` is the only way to act. Everything else serves it: `policy` and `decide` (what is allowed), `approval` (a
person's approval, bound to the pixels shown), `identity` (the right patient), `kill_switch`, and `audit` (the
hash-chained log). Text on a screen is data for all of them, never an instruction.
"""
