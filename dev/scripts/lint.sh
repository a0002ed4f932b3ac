#!/usr/bin/env bash
# Runs golangci-lint at the version that dev/tools/go.mod pins. Arguments are packages; all of them when there are none.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$#" -gt 0 ] || set -- ./...
exec go tool -modfile=dev/tools/go.mod golangci-lint run "$@"
