"""The `interlock` command: what a person or a pipeline types. `main.main` is its entry point.

With `--json` stdout holds one JSON document (`audit tail`: one a line). Its shape is the proto JSON of the message that
the contract answers with, fields named as in the .proto, unset ones included, 64-bit integers as strings, bytes in
base64; these wrap it:

| command                                             | document                                                      |
|-----------------------------------------------------|---------------------------------------------------------------|
| every `list`, `inbox`                               | `{"models": […]}`, with all pages, by the name of the rows    |
| `safeguards start`, `verify` …                      | `{"safeguards": […]}`, those that were moved                  |
| `changes …`, `sign`, `reject`, `withdraw-sign-off`  | the Change, with `decoded_content` (a ChangeContent) beside   |
| `audit log`, `show`, `tail`                         | `{"entry": LedgerEntry, "content": ChangeContent or null, "stored": EntryRecord}`, in `entries` for `log` |
| `audit checkpoint`                                  | `{"size", "root" (hex), "note"}`                              |
| `audit verify`                                      | `{"verified", "entries", "root", "development", "genesis_digest", "countersigned_by", "sign_offs", "steps", "findings"}` |
| `status`                                            | `{"address", "me", "checkpoint", "policy", "models", "holds", "waiting_for_me"}`, null where not allowed |
| `logout`                                            | `{"principal", "logged_in": false}`                           |
| any error, on stderr                                | `{"error": {"kind", "reason", "message", "unmet": […], "fields": […]}}` |
"""  # noqa: E501  # a table
