#!/bin/sh
# Runs a command only if a signed decision allows it, with neither a server nor a secret: with-decision.sh COMMAND…
#
# From the environment: MODEL, CONTEXT, ARTIFACT and DECISION as in ask-gate.sh, and what this place trusts, set by hand
# and not handed over with the file: DECISION_KEY and LOG_ID, in hex. Exits with the command's code, or without running it
# with that of `interlock gate verify`.
set -eu

[ "$#" -gt 0 ] || { echo "usage: with-decision.sh COMMAND [ARGUMENT ...]" >&2; exit 2; }
interlock gate verify "$DECISION" --model "$MODEL" --context "$CONTEXT" --artifact "$ARTIFACT" \
    --key "$DECISION_KEY" --log-id "$LOG_ID"
exec "$@"
