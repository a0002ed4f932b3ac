#!/usr/bin/env bash
# The large benchmark: ten million rows. It looks for room on the disk first, as it would fill a small one.
set -euo pipefail
cd "$(dirname "$0")/../.."

needed_kb=$((20 * 1024 * 1024))
folder=${TMPDIR:-/tmp}
free_kb=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
if [ "$free_kb" -lt "$needed_kb" ]; then
	echo "make bench-full needs 20 GB of free disk in $folder; there are $((free_kb / 1024 / 1024)) GB. TMPDIR chooses another folder." >&2
	exit 1
fi
exec dev/scripts/with-postgres.sh --synced go run ./dev/bench -full
