# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Unpacks the compilers of another suite of Debian in the cache, and runs them there. It installs nothing, and runs none
# of the scripts in their packages. Sourced by lab/prepare.

# The packages that build, lint and test the module and the tools, with the shell tools that builds need.
COMPILERS=(base-files base-passwd bash dash coreutils diffutils findutils mawk grep sed tar gzip xz-utils util-linux
	make gcc libc6-dev rustc rust-src cargo rustfmt rust-clippy bindgen libclang-dev pahole libelf1t64 libssl3t64)

# unshared COMMAND...: runs a command in a new mount namespace, in which the command may mount.
unshared() {
	if ((EUID == 0)); then unshare --mount "$@"; else unshare --mount --user --map-root-user "$@"; fi
}

# can_unshare: whether unshared works. It fails if user namespaces are disabled, and for root if the root directory is no
# mount point, as in a plain chroot.
can_unshare() { unshared true 2>/dev/null; }

# why_not_unshared: prints why unshared does not work, for a message.
why_not_unshared() {
	echo "this machine cannot create a mount namespace, in which they run ($(unshared true 2>&1 || true))"
}

# inside SUITE COMMAND...: runs a command with that suite as its root directory, and with the checkout and the cache at
# their usual paths. It starts in the caller's directory, which must be in one of them.
inside() {
	local suite=$1 variable proxies=()
	shift
	# The proxies of the network.
	for variable in http_proxy https_proxy no_proxy HTTPS_PROXY NO_PROXY; do
		[[ ! ${!variable:-} ]] || proxies+=("$variable=${!variable}")
	done
	# shellcheck disable=SC2016 # expanded in there
	unshared bash -c '
		set -e
		tree=$1 checkout=$2 cache=$3 proxies=$4
		shift 4
		for path in /proc /sys /dev /etc/ssl /etc/resolv.conf "$checkout" "$cache"; do
			[[ -e $path ]] || continue
			if [[ -d $path ]]; then mkdir -p "$tree$path"; else : >>"$tree$path"; fi
			mount --rbind "$path" "$tree$path"
		done
		exec chroot "$tree" /usr/bin/env -i "HOME=$HOME" "CARGO_HOME=$cache/cargo" "KMSGPIPE_CACHE=$cache" $proxies \
			PATH=/usr/bin:/usr/sbin TERM=dumb LC_ALL=C bash -c "cd \"\$0\" && exec \"\$@\"" "$PWD" "$@"
	' inside "$CACHE/suite-$suite" "$ROOT" "$CACHE" "${proxies[*]}" "$@"
}

# fetch_suite SUITE MIRROR: unpacks the compilers of a suite.
fetch_suite() {
	local dir=$CACHE/apt-$1 tree=$CACHE/suite-$1
	rm -rf "$tree" "$tree.partial" && mkdir "$tree.partial"
	read_suites "$dir" "$2" "$1"
	unpack_with_dependencies "$dir" "$tree.partial" "${COMPILERS[@]}"
	# The scripts of the packages would create these files.
	ln -s mawk "$tree.partial/usr/bin/awk"
	ln -s gcc "$tree.partial/usr/bin/cc"
	cp "$tree.partial/usr/share/base-passwd/passwd.master" "$tree.partial/etc/passwd"
	cp "$tree.partial/usr/share/base-passwd/group.master" "$tree.partial/etc/group"
	mv "$tree.partial" "$tree"
}

# ensure_suite SUITE WHY: gets the compilers of a suite into the cache if they are missing.
ensure_suite() {
	local from
	[[ ! -d $CACHE/suite-$1 ]] || return 0
	can_unshare ||
		die "the compilers of Debian $1 cannot be used: $(why_not_unshared)" \
			"Run this as root, or allow user namespaces; in a chroot, make its root a mount point (mount --bind DIR DIR)."
	from=$(mirror || true)
	[[ $from && -e $KEYRING ]] ||
		die "apt of this machine has no Debian mirror, from which the compilers of Debian $1 would be downloaded" \
			"Use Debian for this."
	say "$2: the compilers of $1 are unpacked in the cache, which takes 2 GB"
	step "suite-$1" "getting the compilers of $1: 300 MB, verified by apt" "1 min" \
		"the Debian mirror of this machine's apt must be reachable; run this again" strict fetch_suite "$1" "$from"
}
