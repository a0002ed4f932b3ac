#!/usr/bin/env bash
# Fails when a third-party file is not the one that was published, by the sums that stand beside it.
set -euo pipefail
cd "$(dirname "$0")/../.."

for folder in static/vendor e2e/vendor; do
	(cd "$folder" && sha256sum --check --quiet --strict SHA256SUMS) || { echo "$folder: files differ from SHA256SUMS" >&2; exit 1; }
done
