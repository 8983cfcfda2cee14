"""The ledger: one thread that decides, appends and commits, and what is asked of the log.

Lives here: order, time, durability, the tree, checkpoints, the high-water mark, start-up. Not here: what is allowed
(``statemachine/``), how rows are stored (``storage/``), who may call (``api/``, ``identity/``).
"""
