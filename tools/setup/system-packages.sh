#!/usr/bin/env bash
# Install Debian packages where that is allowed without asking anybody: tools/setup/system-packages.sh NAME...
#
# Allowed means: we are root, or sudo asks for no password. Ends with 1 when some package is still missing,
# and says which command would install it.
set -uo pipefail

installed() { dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

missing=()
for name in "$@"; do
    installed "$name" || missing+=("$name")
done
[ ${#missing[@]} -eq 0 ] && exit 0

say() { printf 'setup: %s\n' "$*" >&2; }

command -v apt-get >/dev/null || {
    say "not a Debian system: install by hand what corresponds to: ${missing[*]}"
    exit 1
}
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    say "to install what is missing: sudo apt install ${missing[*]}"
    exit 1
fi

apt_get() {
    ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -qq \
        -o DPkg::Lock::Timeout=60 -o Acquire::Retries=1 -o Acquire::http::Timeout=20 "$@" >/dev/null </dev/null
}

say "installing ${missing[*]} with apt"
apt_get install --yes --no-install-recommends "${missing[@]}" 2>/dev/null ||
    { apt_get update && apt_get install --yes --no-install-recommends "${missing[@]}"; } ||
    {
        say "apt could not: look at the lines above, then: sudo apt install ${missing[*]}"
        exit 1
    }
