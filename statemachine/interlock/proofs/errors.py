"""Why bytes were refused: one list of stable codes, one exception class for each module.

Lives here: the codes and the exceptions of `interlock.proofs`. Not here: what a caller makes of
them; the offline verifier turns them into findings, the service into refusals of its own.
"""

from enum import StrEnum, unique


@unique
class Fault(StrEnum):
    """What is wrong with the bytes; a code, unlike the prose beside it, never changes."""

    # merkle
    SIZE_OUT_OF_RANGE = "SIZE_OUT_OF_RANGE"
    INDEX_OUT_OF_RANGE = "INDEX_OUT_OF_RANGE"
    HASH_LENGTH = "HASH_LENGTH"
    FRONTIER_SHAPE = "FRONTIER_SHAPE"
    PROOF_TOO_SHORT = "PROOF_TOO_SHORT"
    PROOF_TOO_LONG = "PROOF_TOO_LONG"
    ROOT_MISMATCH = "ROOT_MISMATCH"
    OLD_ROOT_MISMATCH = "OLD_ROOT_MISMATCH"

    # tiles
    TILE_COORDINATES = "TILE_COORDINATES"
    TILE_MISSING = "TILE_MISSING"
    TILE_LENGTH = "TILE_LENGTH"
    TILE_HASH = "TILE_HASH"
    TILE_SURPLUS = "TILE_SURPLUS"

    # keys
    KEY_LENGTH = "KEY_LENGTH"
    KEY_NOT_CANONICAL = "KEY_NOT_CANONICAL"
    KEY_SMALL_ORDER = "KEY_SMALL_ORDER"
    SIGNATURE_LENGTH = "SIGNATURE_LENGTH"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"

    # note
    VKEY_FORMAT = "VKEY_FORMAT"
    VKEY_ALGORITHM = "VKEY_ALGORITHM"
    VKEY_HASH = "VKEY_HASH"
    KEY_NAME = "KEY_NAME"
    KEY_AMBIGUOUS = "KEY_AMBIGUOUS"
    NOTE_TOO_LARGE = "NOTE_TOO_LARGE"
    NOTE_ENCODING = "NOTE_ENCODING"
    NOTE_FORMAT = "NOTE_FORMAT"
    NOTE_TOO_MANY_SIGNATURES = "NOTE_TOO_MANY_SIGNATURES"
    NOTE_NOT_SIGNED = "NOTE_NOT_SIGNED"
    CHECKPOINT_FORMAT = "CHECKPOINT_FORMAT"
    CHECKPOINT_ORIGIN = "CHECKPOINT_ORIGIN"
    LOG_KEY_ENDED = "LOG_KEY_ENDED"

    # strict JSON
    JSON_TOO_LARGE = "JSON_TOO_LARGE"
    JSON_ENCODING = "JSON_ENCODING"
    JSON_SYNTAX = "JSON_SYNTAX"
    JSON_TOO_DEEP = "JSON_TOO_DEEP"
    JSON_DUPLICATE_KEY = "JSON_DUPLICATE_KEY"
    JSON_NUMBER = "JSON_NUMBER"
    JSON_TYPE = "JSON_TYPE"

    # DSSE
    ENVELOPE_FORMAT = "ENVELOPE_FORMAT"
    ENVELOPE_BASE64 = "ENVELOPE_BASE64"
    ENVELOPE_SIGNATURE_COUNT = "ENVELOPE_SIGNATURE_COUNT"
    PAYLOAD_TYPE = "PAYLOAD_TYPE"

    # bundle
    BUNDLE_MAGIC = "BUNDLE_MAGIC"
    BUNDLE_VERSION = "BUNDLE_VERSION"
    BUNDLE_TRUNCATED = "BUNDLE_TRUNCATED"
    BUNDLE_SEGMENT = "BUNDLE_SEGMENT"
    BUNDLE_DIGEST = "BUNDLE_DIGEST"
    BUNDLE_TRAILING = "BUNDLE_TRAILING"


class RefusedError(Exception):
    """Bytes that do not prove what they claim; the base of every error of this package.

    `fault` is for programs, `detail` for people: it names the part and what differs.
    """

    def __init__(self, fault: Fault, detail: str) -> None:
        """Keep the code and the sentence."""
        super().__init__(fault, detail)
        self.fault = fault
        self.detail = detail

    def __str__(self) -> str:
        """Give the code first, so that a log line can be searched for it."""
        return f"{self.fault}: {self.detail}"


class ProofError(RefusedError):
    """A Merkle proof, a frontier, or the position it is asked for, is refused."""


class TileError(RefusedError):
    """A stored tile is missing, or has not the shape that its coordinates require."""


class KeyMaterialError(RefusedError):
    """A public key is refused before any signature is looked at."""


class SignatureError(RefusedError):
    """A signature is not one of this key over this message."""


class NoteError(RefusedError):
    """A signed note, a verifier key or a checkpoint is refused."""


class JsonError(RefusedError):
    """A JSON text, or a value to be written as one, is refused."""


class EnvelopeError(RefusedError):
    """A DSSE envelope is refused."""


class BundleError(RefusedError):
    """A bundle file is damaged, is none, or is of a format that is not known here."""
