"""Base64 with one spelling for each byte string (RFC 4648 §4), which the standard library lacks.

`base64.b64decode(validate=True)` still takes stray trailing bits, so that one signature could be
written in several ways. Here what does not encode back to the same text is refused.
"""

import base64


def encode(data: bytes) -> str:
    """Write bytes in the standard alphabet, padded."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Read the standard alphabet, padded and canonical; raises `ValueError` for all else."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if encode(data) != text:
        raise ValueError(text)
    return data


def decode_either(text: str) -> bytes:
    """Read the standard or the URL-safe alphabet (RFC 4648 §5), never a mix of both."""
    if "-" in text or "_" in text:
        if "+" in text or "/" in text:
            raise ValueError(text)
        text = text.translate(str.maketrans("-_", "+/"))
    return decode(text)
