#!/usr/bin/env bash
# Runs the given command with CALLBOARD_TEST_POSTGRES naming a PostgreSQL server that is made for it and thrown away after.
# Other than for tests, the server syncs as it does in use: commits are part of what is measured.
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What the cluster's own programs say goes to a log; the command keeps stdout and stderr.
cat >"$work/inside.sh" <<'INSIDE'
: >"$CALLBOARD_CLUSTER_STARTED"
unset CALLBOARD_CLUSTER_STARTED
CALLBOARD_TEST_POSTGRES="postgres://$PGUSER:$PGPASSWORD@$PGHOST:$PGPORT/$PGDATABASE?sslmode=disable"
export CALLBOARD_TEST_POSTGRES
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSYSCONFDIR PG_CONFIG PGVERSION
exec "$@" >&3 2>&4 3>&- 4>&-
INSIDE

unset PGPORT PGHOST PGUSER PGPASSWORD PGDATABASE PGSERVICE
status=0
CALLBOARD_CLUSTER_STARTED="$work/started" pg_virtualenv -t bash "$work/inside.sh" "$@" 3>&1 4>&2 >"$work/cluster.log" 2>&1 || status=$?

if [ ! -e "$work/started" ]; then
	echo 'The throw-away PostgreSQL server did not start:' >&2
	cat "$work/cluster.log" >&2
	[ "$status" -ne 0 ] || status=1
fi
exit "$status"
