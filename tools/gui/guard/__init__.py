"""The rules of GUI work: what may be done, who has to agree, whose record it is, how to stop it, and what is recorded.

`guarded` is the one way to act. Everything else serves it: `policy` and `decide` (what may be done), `approval` (a
person's word, bound to the pixels that were shown), `identity` (the right patient), `stop` (the kill switch), `audit`
(the hash-chained record) and `phi` (redaction). Text on a screen is data for all of them; none takes orders from it.
"""
