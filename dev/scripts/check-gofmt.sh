#!/usr/bin/env bash
# Names the Go files that gofmt would write differently, and fails when there is one.
set -euo pipefail
cd "$(dirname "$0")/../.."

unformatted=$(find . -name '.?*' -prune -o -name '*.go' ! -name '*_templ.go' -type f -print0 | xargs -0 -r gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi
