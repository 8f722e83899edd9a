# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# New systems of Debian below a directory, for tests that need one as it comes, and what is asked of a system from
# inside. Sourced by lab/platforms, lab/deb-test and lab/deb-boot; needs lab/lib/apt.sh.

# new_system SUITE DIR: no more than Debian's base, git and make.
new_system() {
	local from
	from=$(mirror)
	rm -rf --one-file-system "$2"
	mkdir -p "$CACHE/debs/$1"
	debootstrap --variant=minbase --include=ca-certificates,git,make --cache-dir="$CACHE/debs/$1" "$1" "$2" "$from"
	# A mirror may be a snapshot, whose lists have expired. They are signed all the same.
	echo 'Acquire::Check-Valid-Until "false";' >"$2/etc/apt/apt.conf.d/90snapshot"
}

# neglect DIR: its lists of packages are those of a machine that has not been looked after: read long ago, and with
# versions that the mirror no longer has.
neglect() {
	find "$1/var/lib/apt/lists" -name '*_Packages' -exec sed -i -E 's/^(Filename: .*_)[^_]*(_[a-z0-9]+\.deb)$/\10.of.long.ago\2/' {} +
	find "$1/var/lib/apt/lists" -name '*Release*' -delete
	find "$1/var/lib/apt/lists" -exec touch -d '180 days ago' {} +
	rm -f "$1"/var/cache/apt/*.bin
}

# clone_into DIR: this checkout's commit, as /root/kmsgpipe there, and the network to build it with.
clone_into() {
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	# The network is this machine's: whom it trusts there, the system must trust, too.
	if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
		cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
		chroot "$1" update-ca-certificates
	fi
	rm -rf "$1/root/kmsgpipe"
	git clone -q "$ROOT" "$1/root/kmsgpipe"
}

# say_what_is_tested: what is not committed is not.
say_what_is_tested() {
	git -C "$ROOT" diff --quiet HEAD ||
		say "what is not committed is not tested: the systems get a clone of $(git -C "$ROOT" describe --always)"
}

# in_system DIR COMMAND...: as root of that system, in the clone. What it started ends with it.
in_system() {
	local dir=$1
	shift
	# shellcheck disable=SC2016 # expanded in there
	unshare --mount --pid --fork --kill-child bash -c '
		set -e
		# As with any root, so that what runs in there may have mounts of its own.
		mount --bind "$0" "$0"
		mount --rbind /dev "$0/dev"
		mount --rbind /sys "$0/sys"
		mount -t proc proc "$0/proc"
		# Not exec: the first process must reap the others.
		chroot "$0" /usr/bin/env -i HOME=/root TERM=dumb LC_ALL=C.UTF-8 \
			PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
			bash -c "cd /root/kmsgpipe && exec \"\$@\"" in_system "$@"
	' "$dir" "$@"
}

# suite_of_this_system: testing is forky for now, and has no other name to the rest of the lab.
suite_of_this_system() {
	case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release) in
	bookworm) echo bookworm ;;
	trixie) echo trixie ;;
	*) echo testing ;;
	esac
}

# add_backports: on trixie, whose own kernels are too old.
add_backports() {
	[[ $(suite_of_this_system) == trixie && ! -e /etc/apt/sources.list.d/backports.list ]] || return 0
	echo "deb $(mirror) trixie-backports main" >/etc/apt/sources.list.d/backports.list
	apt-get update
}

# headers_of SERIES: the newest of the kernel's usual flavour, as its release.
headers_of() {
	apt-cache pkgnames linux-headers- | sed -n "s/^linux-headers-\($1\.[0-9]*+deb[0-9]*-$(dpkg --print-architecture)\)$/\1/p" | sort -V | tail -n 1
}

# source_of RELEASE: its source package, as apt wants it named.
source_of() {
	echo "linux-source-$(cut -d . -f 1-2 <<<"$1")=$(apt-cache show "linux-headers-$1" | sed -n 's/^Version: //p' | head -n 1)"
}
