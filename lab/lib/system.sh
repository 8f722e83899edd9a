# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Makes new systems of Debian below a directory, for tests that need one without changes, and runs commands in them.
# Sourced by lab/platforms, lab/deb-test and lab/deb-boot; needs lab/lib/apt.sh.

# new_system SUITE DIR: makes a system with Debian's base, git and make only.
new_system() {
	local from
	from=$(mirror)
	rm -rf --one-file-system "$2"
	mkdir -p "$CACHE/debs/$1"
	debootstrap --variant=minbase --include=ca-certificates,git,make --cache-dir="$CACHE/debs/$1" "$1" "$2" "$from"
	# The lists of a snapshot mirror have expired, but they are signed.
	echo 'Acquire::Check-Valid-Until "false";' >"$2/etc/apt/apt.conf.d/90snapshot"
}

# neglect DIR: makes the lists of packages those of a neglected machine: read long ago, with versions that the mirror no
# longer has.
neglect() {
	find "$1/var/lib/apt/lists" -name '*_Packages' -exec sed -i -E 's/^(Filename: .*_)[^_]*(_[a-z0-9]+\.deb)$/\10.of.long.ago\2/' {} +
	find "$1/var/lib/apt/lists" -name '*Release*' -delete
	find "$1/var/lib/apt/lists" -exec touch -d '180 days ago' {} +
	rm -f "$1"/var/cache/apt/*.bin
}

# clone_into DIR: clones this checkout's commit to /root/kmsgpipe in a system, and sets up its network.
clone_into() {
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	# The system uses the network of this machine, and so needs its certificates.
	if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
		cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
		chroot "$1" update-ca-certificates
	fi
	rm -rf "$1/root/kmsgpipe"
	git clone -q "$ROOT" "$1/root/kmsgpipe"
}

# say_what_is_tested: warns that uncommitted changes are not tested.
say_what_is_tested() {
	git -C "$ROOT" diff --quiet HEAD ||
		say "what is not committed is not tested: the systems get a clone of $(git -C "$ROOT" describe --always)"
}

# in_system DIR COMMAND...: runs a command as root of a system, in the clone. Processes that it started end with it.
in_system() {
	local dir=$1
	shift
	# shellcheck disable=SC2016 # expanded in there
	unshare --mount --pid --fork --kill-child bash -c '
		set -e
		# The root must be a mount point, so that commands in the system can have mount namespaces.
		mount --bind "$0" "$0"
		mount --rbind /dev "$0/dev"
		mount --rbind /sys "$0/sys"
		mount -t proc proc "$0/proc"
		# Without exec: the first process must reap the others.
		chroot "$0" /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			bash -c "cd /root/kmsgpipe && exec \"\$@\"" in_system "$@"
	' "$dir" "$@"
}

# suite_of_this_system: prints the name that the lab uses. That of testing, which is forky now, is testing.
suite_of_this_system() {
	case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) in
	bookworm) echo bookworm ;;
	trixie) echo trixie ;;
	*) echo testing ;;
	esac
}

# add_backports: adds the backports on trixie, which has only older kernels without them.
add_backports() {
	[[ $(suite_of_this_system) == trixie && ! -e /etc/apt/sources.list.d/backports.list ]] || return 0
	echo "deb $(mirror) trixie-backports main" >/etc/apt/sources.list.d/backports.list
	apt-get update
}

# headers_of SERIES: prints the newest release of the usual flavour of the kernel.
headers_of() {
	apt-cache pkgnames linux-headers- | sed -n "s/^linux-headers-\($1\.[0-9]*+deb[0-9]*-$(dpkg --print-architecture)\)$/\1/p" | sort -V | tail -n 1
}

# source_of RELEASE: prints the source package of a release, as an argument for apt.
source_of() {
	echo "linux-source-$(cut -d . -f 1-2 <<<"$1")=$(apt-cache show "linux-headers-$1" | sed -n 's/^Version: //p' | head -n 1)"
}
