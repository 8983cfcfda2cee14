#!/usr/bin/env bash
# Installs what some tests need of the system: an SSH agent, and SoftHSM2 as a real PKCS #11 token. On a machine where
# that can't be installed, such tests are skipped, each by its name.
set -euo pipefail

missing=()
command -v ssh-agent >/dev/null || missing+=(openssh-client)
command -v softhsm2-util >/dev/null || missing+=(softhsm2)
[ "${#missing[@]}" -gt 0 ] || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed, so some tests will be skipped: ${missing[*]}" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
{ apt-get -q update && apt-get -q -y install --no-install-recommends "${missing[@]}"; } >/dev/null \
    || echo "could not be installed, so some tests will be skipped: ${missing[*]}" >&2
