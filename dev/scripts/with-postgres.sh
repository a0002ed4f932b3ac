#!/usr/bin/env bash
# Runs the given command with CALLBOARD_TEST_POSTGRES naming a PostgreSQL server made for this run and thrown away after it.
# Without a command it runs every test with the race detector. Several runs side by side do not disturb each other.
# --synced before the command makes the server sync its commits as in use: for measuring, where they count.
set -euo pipefail
cd "$(dirname "$0")/../.."

options=(-o fsync=off -o max_connections=300)
if [ "${1:-}" = --synced ]; then
	options=(-o fsync=on) # pg_virtualenv leaves it off
	shift
fi

# The race detector needs cgo, which some people switch off for everything.
# A package gets at most this long; the default of ten minutes is short for the race detector on two cores.
[ "$#" -gt 0 ] || set -- env CGO_ENABLED=1 go test -race -timeout 25m ./...

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs inside pg_virtualenv, where PGHOST and the others are set. The command's output goes to the descriptors 3 and 4,
# so that what the cluster's own programs say never stands between or after the lines of go test.
cat >"$work/inside.sh" <<'INSIDE'
: >"$CALLBOARD_CLUSTER_STARTED"
unset CALLBOARD_CLUSTER_STARTED
CALLBOARD_TEST_POSTGRES="postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE?sslmode=disable"
export CALLBOARD_TEST_POSTGRES
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSYSCONFDIR PG_CONFIG PGVERSION
exec "$@" >&3 2>&4 3>&- 4>&-
INSIDE

# A cluster of its own in a temporary folder, for root too: the fixed name that root gets otherwise serves one run at a time.
# What is set for the user's own server must not lead the throw-away one to an address in use.
unset PGPORT PGHOST PGUSER PGPASSWORD PGDATABASE PGSERVICE
# Two runs that begin together may choose the same port: whoever comes second chooses again.
for _ in 1 2 3 4 5; do
	status=0
	CALLBOARD_CLUSTER_STARTED="$work/started" pg_virtualenv -t "${options[@]}" \
		bash "$work/inside.sh" "$@" 3>&1 4>&2 >"$work/cluster.log" 2>&1 || status=$?
	if [ -e "$work/started" ] || ! grep -qE 'Port conflict|Address already in use' "$work/cluster.log"; then
		break
	fi
done

if [ ! -e "$work/started" ]; then
	echo 'The throw-away PostgreSQL server did not start:' >&2
	cat "$work/cluster.log" >&2
	[ "$status" -ne 0 ] || status=1
fi
exit "$status"
