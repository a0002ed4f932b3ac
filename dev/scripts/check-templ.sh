#!/usr/bin/env bash
# Fails when a templ file is badly formatted or its generated Go file is not what templ makes of it now.
# Works on a copy, so the tree stays as it is and no version control is needed.
set -euo pipefail
cd "$(dirname "$0")/../.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT

# Prints every file of the given ending that belongs to the program, as a path from the root.
list() {
	(cd "$1" && find . \( -name '.?*' -o -name node_modules -o -name bin \) -prune -o -name "$2" -type f -print | sort)
}

list . '*.templ' >"$copy/templates"
if [ -s "$copy/templates" ]; then
	mkdir "$copy/tree"
	cp go.mod "$copy/tree/"
	tar -cf - -T "$copy/templates" | tar -xf - -C "$copy/tree"

	# Generated first: templ writes positions of the source into its output, and formatting moves them.
	go tool templ generate -path "$copy/tree" -log-level error
	failed=0
	go tool templ fmt -log-level error "$copy/tree"
	while read -r file; do
		cmp -s "$file" "$copy/tree/$file" || { echo "$file: not formatted; run: make generate" >&2; failed=1; }
	done <"$copy/templates"
else
	mkdir "$copy/tree"
	failed=0
fi

while read -r file; do
	cmp -s "$file" "$copy/tree/$file" || { echo "$file: missing or not up to date; run: make generate" >&2; failed=1; }
done < <({ list . '*_templ.go'; list "$copy/tree" '*_templ.go'; } | sort -u)
exit "$failed"
