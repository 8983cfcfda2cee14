#!/bin/sh
# Asks the gate whether a model may be released, and keeps its signed answer for the step that deploys.
#
# From the environment: MODEL, CONTEXT, ARTIFACT (SHA-256 of the weights manifest), DECISION (file to write), and who
# asks: INTERLOCK_PROFILE. WAIT, such as 10m, asks until the gate allows. Exits as `interlock gate check` does: 0 for
# ALLOW, 1 for DENY, anything else where nobody knows.
set -eu

# First of all: an earlier ALLOW must not outlive a question that nobody answers.
[ -z "${DECISION:-}" ] || rm -f -- "$DECISION"
for name in MODEL CONTEXT ARTIFACT DECISION; do
    eval "value=\${$name:-}"
    [ -n "$value" ] || { echo "$name is not set: nobody was asked." >&2; exit 2; }
done

code=0
interlock gate check "$MODEL" --context "$CONTEXT" --artifact "$ARTIFACT" --decision "$DECISION" \
    ${WAIT:+--wait "$WAIT"} || code=$?
case $code in
    0) ;;
    1) echo "$MODEL is not released to $CONTEXT: see the reasons above." >&2 ;;
    *) echo "Nobody knows whether $MODEL may go to $CONTEXT (exit code $code): it is not released." >&2 ;;
esac
exit "$code"
