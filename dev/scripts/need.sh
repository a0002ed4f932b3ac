#!/usr/bin/env bash
# Sees to it that programs are there which only developers need: need.sh gcc postgresql chromium …
# Installs the Debian packages of those missing when it may (root, or sudo that asks no password),
# else says what to install and fails.
set -euo pipefail

has() { command -v "$1" >/dev/null; }

# Tells whether the wanted thing is there, whoever put it there.
present() {
	case $1 in
	gcc) has "${CC:-gcc}" ;;
	postgresql) has pg_virtualenv && compgen -G '/usr/lib/postgresql/*/bin/pg_ctl' >/dev/null ;;
	chromium) has chromium || has chromium-browser || has google-chrome ;;
	*) has "$1" ;;
	esac
}

missing=()
for need in "$@"; do
	present "$need" && continue
	case $need in
	gcc) missing+=(gcc libc6-dev) ;; # the compiler alone links nothing
	ip) missing+=(iproute2) ;;
	*) missing+=("$need") ;;
	esac
done
[ "${#missing[@]}" -gt 0 ] || exit 0

give_up() {
	echo "Missing here: ${missing[*]}. $1" >&2
	echo "Please install them and try again; on Debian and Ubuntu: apt-get install ${missing[*]}" >&2
	exit 1
}

has apt-get || give_up 'This system has no apt-get to install them with.'
as_root=()
if [ "$(id -u)" -ne 0 ]; then
	as_root=(sudo -n)
	sudo -n true 2>/dev/null || give_up 'This user may not install packages without a password.'
fi

echo "Installing: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${apt[@]}" update && "${apt[@]}" install "${missing[@]}"; } </dev/null >"$log" 2>&1; then
	tail -n 30 "$log" >&2
	give_up 'Installing them failed, see above.'
fi
for need in "$@"; do
	present "$need" || give_up "$need is still not found after installing it."
done
