"""Proofs as pure functions from bytes to values: what the server and an auditor must agree on.

| module        | what it answers                                                       |
|---------------|-----------------------------------------------------------------------|
| `merkle`      | is this leaf in that tree, does this tree extend that one (RFC 6962)  |
| `tiles`       | which hashes are stored where, what an append rewrites (tlog-tiles)   |
| `note`        | did the log's key sign this tree head (signed-note, tlog-checkpoint)  |
| `cosignature` | which witnesses saw this tree head, and when (tlog-cosignature)        |
| `dsse`        | did this key sign this payload (DSSE v1)                              |
| `json_text`   | what does this payload say, to every reader alike                     |
| `keys`        | is this a key that binds its owner, is this its signature (Ed25519)   |
| `signature_keys` | the same for keys of people: Ed25519, or ECDSA P-256 in hardware   |
| `errors`      | why not: stable codes                                                 |

No I/O, no clock, no randomness, no state. Functions are called through their module
(`merkle.verify_inclusion`, `dsse.verify`), so that a reader sees which proof is checked.
"""

from interlock.proofs import cosignature, dsse, errors, json_text, keys, merkle, note, signature_keys, tiles

__all__ = ["cosignature", "dsse", "errors", "json_text", "keys", "merkle", "note", "signature_keys", "tiles"]
