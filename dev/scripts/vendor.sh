#!/bin/sh
# Fetches the third-party front-end files again, as published on npm, and compares them with the ones kept here.
#
#   dev/scripts/vendor.sh           compare; ends with status 1 and a list when anything differs
#   dev/scripts/vendor.sh --write   put the fetched files in place and write SHA256SUMS and icons.svg anew
#
# To take another version: change the numbers below, run with --write, look at the difference, run the browser tests.
# To add an icon: add <symbol id="name"/> on a line of its own to static/icons.svg and run with --write; the name is
# that of the outline icon in @tabler/icons.
# Needs npm (only for fetching; nothing here is needed to build, run or test).
set -eu

tabler=1.6.1
htmx=2.0.11
icons=3.51.0
axe=4.14.1

root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
write=${1:-}
case $write in '' | --write) ;; *) echo "usage: $0 [--write]" >&2; exit 2 ;; esac

# fetch NAME VERSION FOLDER unpacks one published package into $work/FOLDER.
fetch() {
	mkdir "$work/$3"
	(cd "$work/$3" && tgz=$(npm pack --silent "$1@$2" | tail -n 1) && tar -xzf "$tgz" --strip-components=1)
}

fetch @tabler/core "$tabler" tabler
fetch htmx.org "$htmx" htmx
fetch @tabler/icons "$icons" icons
fetch axe-core "$axe" axe

# stage FETCHED KEPT puts a fetched file where it belongs, below $work/new.
stage() {
	mkdir -p "$work/new/$(dirname "$2")"
	cp "$work/$1" "$work/new/$2"
	chmod 644 "$work/new/$2"
}

stage tabler/dist/css/tabler.min.css static/vendor/tabler.min.css
stage htmx/dist/htmx.min.js static/vendor/htmx.min.js
stage htmx/LICENSE static/vendor/htmx.license.txt
stage icons/LICENSE static/icons.license.txt
stage axe/axe.min.js e2e/vendor/axe.min.js
stage axe/LICENSE e2e/vendor/axe.license.txt
stage axe/LICENSE-3RD-PARTY.txt e2e/vendor/axe.third-party.txt
# @tabler/core is published without its licence text: the kept file is the MIT licence under the copyright lines that
# head tabler.min.css.
cp "$root/static/vendor/tabler.license.txt" "$work/new/static/vendor/tabler.license.txt"
sed -n 's/^ \* \(Copyright .*\)$/\1/p' "$work/new/static/vendor/tabler.min.css" | while read -r line; do
	grep -qF "$line" "$work/new/static/vendor/tabler.license.txt" || {
		echo "static/vendor/tabler.license.txt lacks: $line" >&2
		exit 1
	}
done

# symbol ID prints one line of the sprite, without the invisible 24 × 24 frame each icon begins with.
symbol() {
	svg=$work/icons/icons/outline/$1.svg
	[ -f "$svg" ] || { echo "@tabler/icons $icons has no outline icon $1" >&2; exit 1; }
	shapes=$(grep -E '^ *<(path|circle|rect|line|polyline|ellipse)' "$svg" | grep -v 'stroke="none" d="M0 0h24v24H0z"' |
		sed 's/^ *//' | paste -sd ' ' -)
	printf '  <symbol id="%s" viewBox="0 0 24 24">%s</symbol>\n' "$1" "$shapes"
}

# sprite rebuilds icons.svg from the names in the kept one; "mark" is our own and is carried over.
sprite() {
	echo "<!-- Tabler Icons $icons (npm @tabler/icons), MIT licence, Copyright Paweł Kuna. \"mark\" is our own. -->"
	echo '<svg xmlns="http://www.w3.org/2000/svg">'
	grep '<symbol id="mark"' "$root/static/icons.svg"
	for id in $(sed -n 's/.*<symbol id="\([a-z0-9-]*\)".*/\1/p' "$root/static/icons.svg" | grep -v '^mark$' | LC_ALL=C sort); do
		symbol "$id"
	done
	echo '</svg>'
}
sprite >"$work/new/static/icons.svg"

for folder in static/vendor e2e/vendor; do
	(cd "$work/new/$folder" && ls | LC_ALL=C sort | xargs sha256sum -- >"$work/sums")
	mv "$work/sums" "$work/new/$folder/SHA256SUMS"
done

if [ "$write" = --write ]; then
	cp -R "$work/new/." "$root/"
	echo "written: @tabler/core $tabler, htmx.org $htmx, @tabler/icons $icons, axe-core $axe"
	exit 0
fi

differs=0
for file in $(cd "$work/new" && find . -type f | sed 's|^\./||' | LC_ALL=C sort); do
	cmp -s "$work/new/$file" "$root/$file" || { echo "differs from what is published: $file" >&2; differs=1; }
done
[ "$differs" = 0 ] && echo "as published: @tabler/core $tabler, htmx.org $htmx, @tabler/icons $icons, axe-core $axe"
exit "$differs"
