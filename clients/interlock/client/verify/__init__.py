"""The verifier: everything that a log claims, checked again from its first byte, trusting one pinned key.

`verify_log` takes a stream of entries (a running server's), `verify_bundle` a file; both run the numbered steps of
`procedure.py`. Nothing here needs grpc, and of the package `interlock` only what a client-only install has.
"""

from interlock.client.verify.bundle import verify_bundle
from interlock.client.verify.procedure import verify_log
from interlock.client.verify.report import BUNDLE_STEPS, LOG, STEPS, Counts, Finding, Step, Trust, VerifyReport

__all__ = [
    "BUNDLE_STEPS",
    "LOG",
    "STEPS",
    "Counts",
    "Finding",
    "Step",
    "Trust",
    "VerifyReport",
    "verify_bundle",
    "verify_log",
]
