"""Where the bytes of evidence are kept, by SHA-256. Records of evidence are resources of the fold, not here."""

from interlock.service.evidence.blobs import Blobs, Upload, open_blobs
from interlock.service.evidence.durability import Durability

__all__ = ["Blobs", "Durability", "Upload", "open_blobs"]
