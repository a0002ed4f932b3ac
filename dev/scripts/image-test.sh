#!/usr/bin/env bash
# Builds the Dockerfile with buildah and tries the image: it starts as uid 65532 on port 8080, becomes healthy, is set up
# through /setup, and after a restart on the same volume /setup is closed and the person made there can sign in.
#
# No registry is asked: the Go image is made from this machine's own parts under the official name. Everything made here
# lies in one temporary folder. The argument is the folder with the Dockerfile; the root of the tree when there is none.
# Needs root, Linux, buildah, curl and ip.
set -euo pipefail

script=$(readlink -f "$0")
tree=$(readlink -f "${1:-$(dirname "$script")/../..}")
image=callboard:image-test
owner=65532

say() { echo "image-test: $*"; }
fail() {
	echo "image-test: $*" >&2
	exit 1
}

set -E
trap 'echo "image-test: line $LINENO failed" >&2' ERR

[ "$(id -u)" -eq 0 ] || fail 'needs root: it mounts images and starts a process as another user; try: sudo make image-test'

# A network of its own: the image's own port is free there, and the build has nobody to ask. Processes of its own: none is
# left behind, however this ends.
if [ -z "${CALLBOARD_IMAGE_WORK:-}" ]; then
	work=$(mktemp -d)
	trap 'rm -rf --one-file-system "$work"' EXIT
	(cd "$tree" && go mod download)
	status=0
	CALLBOARD_IMAGE_WORK=$work unshare --net --pid --mount-proc --fork --kill-child -- "$script" "$tree" || status=$?
	exit "$status"
fi
work=$CALLBOARD_IMAGE_WORK
ip link set lo up

buildah() {
	command buildah --storage-driver vfs --root "$work/storage" --runroot "$work/run" "$@"
}

running=
container=

# Names the libraries that a program loads; none for one that loads none.
libraries_of() { ldd "$1" 2>/dev/null | grep -o '/[^ ]*' || true; }

# Copies files of this machine into the folder given first, under the same names.
copy_files() {
	local root=$1 file
	shift
	for file in "$@"; do
		cp --parents -L "$file" "$root"
	done
}

# Makes an image under the official name with what the Dockerfile uses of it. The Go toolchain and the caches of modules
# and of builds are not copied but mounted while building.
make_base() {
	local name certificates=/etc/ssl/certs/ca-certificates.crt base root program libraries
	name=$(sed -n 's/^ARG GO_IMAGE=//p' "$tree/Dockerfile")
	[ -n "$name" ] || fail 'the Dockerfile names no GO_IMAGE'
	[ -s "$certificates" ] || fail "needs $certificates; on Debian and Ubuntu: apt-get install ca-certificates"
	base=$(buildah from scratch)
	root=$(buildah mount "$base")
	for program in /bin/sh "$(command -v mkdir)" "$(go env GOROOT)/bin/go"; do
		mapfile -t libraries < <(libraries_of "$program")
		copy_files "$root" "${libraries[@]}"
	done
	copy_files "$root" /bin/sh "$(command -v mkdir)" "$certificates"
	mkdir -p "$root/tmp" "$root/root" "$root/go/pkg/mod" "$root/usr/local/go"
	chmod 1777 "$root/tmp"
	buildah umount "$base" >/dev/null
	buildah config --env PATH=/usr/local/go/bin:/usr/bin:/bin --env GOPATH=/go --env GOTOOLCHAIN=local --env GOPROXY=off "$base"
	buildah commit --quiet "$base" "docker.io/library/$name" >/dev/null
	buildah rm "$base" >/dev/null
	say "made a stand-in for $name"
}

build() {
	say 'building'
	buildah bud --quiet --isolation chroot --pull-never --format docker \
		--volume "$(go env GOROOT):/usr/local/go:ro" \
		--volume "$(go env GOMODCACHE):/go/pkg/mod" \
		--volume "$(go env GOCACHE):/root/.cache/go-build" \
		--build-arg VERSION=image-test --tag "$image" "$tree" >"$work/build.log" 2>&1 || {
		cat "$work/build.log" >&2
		fail 'the image cannot be built'
	}
}

# Compares one entry of the image's configuration, a Go template, with what it has to be.
has_config() {
	local got
	got=$(buildah inspect --type image --format "$1" "$image")
	[ "$got" = "$2" ] || fail "the image says $got for $1, wanted $2"
}

# Makes the container that start uses, in the place of an earlier one. buildah lays an own volume over each that the image
# declares, over those given by hand too, so the declaration is dropped here, where it has been looked at.
new_container() {
	[ -z "$container" ] || buildah rm "$container" >/dev/null
	container=$(buildah from --pull-never "$image")
	buildah config --volume /data- "$container"
}

check_image() {
	has_config '{{.Docker.Config.User}}' "$owner:$owner"
	has_config '{{.Docker.Config.Entrypoint}}' '[/callboard]'
	has_config '{{.Docker.Config.Cmd}}' '[serve]'
	has_config '{{.Docker.Config.Healthcheck.Test}}' '[CMD /callboard health]'
	has_config '{{.Docker.Config.ExposedPorts}}' 'map[8080/tcp:{}]'
	has_config '{{.Docker.Config.Volumes}}' 'map[/data:{}]'
	# Builders put a PATH of their own first.
	has_config '{{range .Docker.Config.Env}}{{if ne (slice . 0 5) "PATH="}}{{.}} {{end}}{{end}}' 'CALLBOARD_LISTEN=:8080 CALLBOARD_DATA=/data '
	local root files
	new_container
	root=$(buildah mount "$container")
	files=$(cd "$root" && find . -xdev -type f -printf '%P %U\n' | sort)
	[ "$files" = "callboard 0
etc/ssl/certs/ca-certificates.crt 0" ] || fail "the image holds other files than the program and the certificates: $files"
	[ "$(stat -c '%u:%g' "$root/data")" = "$owner:$owner" ] || fail "/data belongs to $(stat -c '%u:%g' "$root/data")"
	# What a container engine does with a new volume: it takes over what the image has at that place, owner included.
	cp -a "$root/data" "$work/volume"
	buildah umount "$container" >/dev/null
	say 'the image holds what it should and nothing else'
}

in_container() {
	buildah run --isolation chroot --volume "$work/volume:/data" "$container" -- "$@"
}

# Starts the console and waits until its health check passes. The log goes to the file given.
start() {
	local log=$1 left=120
	in_container /callboard serve >"$log" 2>&1 &
	running=$!
	until in_container /callboard health >"$work/health.log" 2>&1; do
		left=$((left - 1))
		if [ "$left" -eq 0 ] || ! kill -0 "$running" 2>/dev/null; then
			cat "$log" "$work/health.log" >&2
			fail 'the container does not become healthy'
		fi
		sleep 0.25
	done
	say 'the container is healthy'
}

# Stops the console as a container engine does, and wants a clean end.
stop() {
	local status=0
	kill -TERM "$(pgrep -u "$owner" -f '^/callboard serve$')" || fail "no process of uid $owner is running the console"
	wait "$running" || status=$?
	running=
	[ "$status" -eq 0 ] || fail "a stopped container ended with $status"
}

# Asks the console for a path, with the cookies of the jar named first; further arguments are curl's.
ask() {
	local jar=$work/$1 path=$2
	shift 2
	curl --silent --show-error --max-time 20 --cookie "$jar" --cookie-jar "$jar" "$@" "http://127.0.0.1:8080$path"
}

status_of() { ask "$@" --output "$work/page.html" --write-out '%{http_code}'; }

# Posts a form as a browser does: reads its page first and sends the page's token along.
post() {
	local jar=$1 path=$2 token
	shift 2
	ask "$jar" "$path" --output "$work/form.html"
	token=$(grep -o '<input[^>]*name="_csrf"[^>]*>' "$work/form.html" | sed -n 's/.* value="\([^"]*\)".*/\1/p' | head -n 1) || true
	local field fields=(--data-urlencode "_csrf=$token")
	for field in "$@"; do
		fields+=(--data-urlencode "$field")
	done
	status_of "$jar" "$path" "${fields[@]}"
}

# Tells whether a name and a password open the console.
signs_in() {
	local jar=jar-$1-$RANDOM
	post "$jar" /sign-in "username=$1" "password=$2" >/dev/null
	[ "$(status_of "$jar" /apps)" = 200 ]
}

try() {
	local password code got
	password=$(head -c 18 /dev/urandom | base64)

	start "$work/first.log"
	code=$(sed -n 's/.*Setup code: *\([0-9A-Za-z-]*\).*/\1/p' "$work/first.log" | head -n 1)
	[ -n "$code" ] || fail 'the first start prints no setup code'
	[ "$(status_of jar /apps)" != 200 ] || fail 'the console is open to everybody'
	got=$(post jar-setup /setup "code=$code" username=owner "password=$password")
	[ "$got" = 303 ] || fail "/setup answered $got to a right code"
	signs_in owner "$password" || fail 'the person made in /setup cannot sign in'
	say 'set up'
	stop

	new_container
	start "$work/second.log"
	! grep -q 'Setup code:' "$work/second.log" || fail 'the second start prints a setup code again'
	[ "$(status_of jar /setup)" != 200 ] || fail '/setup is still open after the restart'
	post jar-late /setup "code=$code" username=intruder "password=$password" >/dev/null
	! signs_in intruder "$password" || fail 'the used code still makes people'
	signs_in owner "$password" || fail 'the person made in /setup is gone after the restart'
	[ -z "$(find "$work/volume" ! -uid "$owner")" ] || fail "the volume holds files of others than uid $owner"
	[ -n "$(find "$work/volume" -type f)" ] || fail 'the volume is empty'
	say 'the data outlived the restart, and /setup is closed'
	stop
}

make_base
build
check_image
try
say 'passed'
