"""An append-only log of opaque records: the one truth from which positions, books and outcomes are rebuilt.

`writer` appends and recovers, `reader` reads while it is written, `heads` signs how far it reached, `verification` proves that nothing is
missing or changed. The format is in `frames` and `segment`.
"""
