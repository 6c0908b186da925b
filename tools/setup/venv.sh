#!/usr/bin/env bash
# Make or renew the virtual environment of this checkout: tools/setup/venv.sh run|dev
#
# The environment holds a note of what was installed into it, and from where. While that note is true there is
# nothing to do, and this returns at once. Where pip fetches from is the machine's business: nothing here says.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=.venv
extras=${1:?usage: tools/setup/venv.sh run|dev}
wanted="$PWD $(cksum <pyproject.toml)"
note=$venv/installed

holds() { # holds run|dev: whether that note is there and true
    [ -x $venv/bin/python ] && [ "$(cat "$note-$1" 2>/dev/null)" = "$wanted" ]
}

say() { printf 'setup: %s\n' "$*" >&2; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if command -v "$name" >/dev/null && new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

if holds dev || { [ "$extras" = run ] && holds run; }; then
    exit 0
fi

if ! python=$(find_python); then
    say "no Python 3.11 or newer here; Debian 12 and Raspberry Pi OS (bookworm) bring one: package python3"
    tools/setup/system-packages.sh python3 python3-venv && python=$(find_python) || {
        say "install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3 ..."
        exit 1
    }
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    say "$python cannot make virtual environments: the package $package is missing"
    tools/setup/system-packages.sh "$package" || {
        say "install it and try again: sudo apt install $package"
        exit 1
    }
fi

if ! { [ -x $venv/bin/python ] && new_enough $venv/bin/python && $venv/bin/python -m pip --version >/dev/null 2>&1; }; then
    say "making $venv with $("$python" --version)"
    "$python" -m venv --clear $venv
fi

case $extras in
run) target=. ;;
dev) target='.[dev]' ;;
*) say "what is '$extras'? run or dev" && exit 2 ;;
esac
say "installing into $venv (a minute or two, the first time only)"
rm -f $note-*
$venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --use-pep517 --editable "$target"
$venv/bin/python -c 'import crcmod._crcfunext' 2>/dev/null ||
    say "crcmod was built without its C part (no compiler): everything works, its checksums are slower"
printf '%s\n' "$wanted" >"$note-$extras"
