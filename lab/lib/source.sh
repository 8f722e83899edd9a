# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Gets the source of Linux 7.2 or 7.3 into the cache. Sourced by lab/prepare.

SERIES=7.2
# The next series.
NEXT_SERIES=7.3
# The tarball for systems without a Debian mirror. Two independent projects pin this sum, one of them from kernel.org's
# signed list.
TARBALL=https://cdn.kernel.org/pub/linux/kernel/v7.x/linux-7.2.tar.xz
TARBALL_SHA256=f9fef3d14c0df53819026f4be74459835c2a0b0dcbf5b5bbd9ea19f0829402b3

# fetch_package MIRROR SUITE...: gets the newest linux-source package of these suites, verified by apt.
fetch_package() {
	local dir=$CACHE/apt version
	read_suites "$dir" "$@"
	version=$(LC_ALL=C private_apt "$dir" apt-cache madison "linux-source-$SERIES" | awk '{print $3}' | sort -V | tail -n 1)
	if [[ -z $version ]]; then
		echo "none of ${*:2} of $1 has linux-source-$SERIES"
		return 1
	fi
	echo "linux-source-$SERIES $version"
	rm -f "$dir"/linux-source-*.deb
	(cd "$dir" && private_apt "$dir" apt-get download "linux-source-$SERIES=$version") || return 1
	unpack "$version" dpkg-deb --fsys-tarfile "$dir"/linux-source-*.deb || return 1
	rm -rf "$dir"
}

# fetch_any MIRROR: gets the release candidate of the next series if there is one, otherwise the release.
fetch_any() {
	if [[ $SERIES == "$NEXT_SERIES" ]] && fetch_package "$1" experimental; then return; fi
	fetch_package "$1" testing unstable trixie-backports
}

# unpack VERSION COMMAND...: unpacks the source tree of VERSION. COMMAND prints the archive of files of its package.
unpack() {
	local into=$CACHE/linux-$1
	shift
	rm -rf "$into.partial"
	mkdir -p "$into.partial"
	(set -o pipefail && "$@" | tar -xO "./usr/src/linux-source-$SERIES.tar.xz" |
		tar -xJ -C "$into.partial" --strip-components=1) || return 1
	rm -rf "$into"
	mv "$into.partial" "$into"
}

# fetch_tarball: gets the tarball of kernel.org, and compares it with the pinned sum.
fetch_tarball() {
	local file=$CACHE/linux-$SERIES.tar.xz into=$CACHE/linux-$SERIES
	if command -v curl >/dev/null; then
		curl -fL --retry 3 -C - -o "$file" "$TARBALL"
	else
		wget -c -O "$file" "$TARBALL"
	fi
	if ! echo "$TARBALL_SHA256  $file" | sha256sum -c -; then
		rm -f "$file"
		return 1
	fi
	rm -rf "$into.partial"
	mkdir -p "$into.partial"
	tar -xJf "$file" -C "$into.partial" --strip-components=1 || return 1
	mv "$into.partial" "$into"
	rm -f "$file"
}

# have_source: sets LINUX to the newest source tree in the cache.
have_source() {
	local tree
	LINUX=''
	while read -r tree; do
		[[ $tree == *.partial || ! -d $tree ]] || LINUX=$tree
	done < <(printf '%s\n' "$CACHE/linux-$SERIES"* | sort -V)
	export LINUX
	[[ -n $LINUX ]]
}

# ensure_source KERNEL: gets the source of a kernel if it is missing, and sets LINUX.
ensure_source() {
	local from
	[[ $1 != next ]] || SERIES=$NEXT_SERIES
	have_source && return
	from=$(mirror || true)
	if [[ -n $from && -e $KEYRING ]]; then
		step source "getting the source of Linux $SERIES: a package of 165 MB, verified by apt" "1 min" \
			"the Debian mirror of this machine's apt must be reachable; run this again" \
			strict fetch_any "$from"
	elif [[ $1 == next ]]; then
		die "apt of this machine has no Debian mirror, from which the source of Linux $SERIES would be downloaded" \
			"Use Debian for this, or unpack the source as $CACHE/linux-$SERIES."
	else
		step source "getting the source of Linux $SERIES from kernel.org (153 MB), verified by sha256" "2 min" \
			"kernel.org must be reachable; run this again" strict fetch_tarball
	fi
	have_source || die "no source of Linux $SERIES is in $CACHE, although it was just unpacked" "Look at $LOGS/source.log, and run this again."
}
