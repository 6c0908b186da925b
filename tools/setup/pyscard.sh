#!/usr/bin/env bash
# Build pyscard into the virtual environment, where that can be done: it has no wheels for Linux, and is an extra.
#
# Ends with 1 when it cannot, and says why. Nothing to do, and no time spent, once it is there.
set -uo pipefail
cd "$(dirname "$0")/../.."

.venv/bin/python -c 'import smartcard' 2>/dev/null && exit 0

for need in cc:build-essential /usr/include/PCSC/winscard.h:libpcsclite-dev; do
    what=${need%%:*}
    [ -e "$what" ] || command -v "$what" >/dev/null || {
        printf 'setup: pyscard needs the package %s\n' "${need#*:}" >&2
        exit 1
    }
done
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input 'pyscard>=2.2' >/dev/null 2>&1 || {
    printf 'setup: pyscard could not be built (it needs python3-dev, and a package index)\n' >&2
    exit 1
}
