# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Gets a kernel that Debian ships into the cache, with everything that builds the module for it. Sourced by lab/prepare.
#
# The kernel of a suite needs the compilers of that suite. If the machine has them, they are used; otherwise those that
# lab/lib/suite.sh unpacks.

# system: prints the distribution and its release, if they have names.
system() (
	[[ ! -r /etc/os-release ]] || . /etc/os-release
	echo "${ID:-unknown}-${VERSION_CODENAME:-}"
)

# debian_suite: prints the suite of the kernel: that of the machine if it has Linux 7.2, otherwise trixie.
debian_suite() {
	case $(system) in
	debian- | debian-forky | debian-sid) echo testing ;;
	*) echo trixie ;;
	esac
}

# debian_native: whether debian_suite prints the suite of the machine, which then has the compilers of the kernel.
debian_native() { [[ $(system) =~ ^debian-(|trixie|forky|sid)$ ]]; }

# can_have_debian: fails and prints the reason if the machine cannot get a kernel of Debian.
can_have_debian() {
	if [[ $(uname -m) != x86_64 ]]; then
		echo "this machine is $(uname -m), not x86_64"
	elif ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
		echo "this machine has no apt"
	elif [[ ! -e $KEYRING ]]; then
		echo "there is no $KEYRING (package debian-archive-keyring)"
	elif [[ -z $(mirror || true) ]]; then
		echo "the apt of this machine has no mirror of Debian"
	elif ! debian_native && ! can_unshare; then
		echo "the compilers of Debian $(debian_suite) cannot be used: $(why_not_unshared)"
	else
		return 0
	fi
	return 1
}

# with_compilers COMMAND...: runs a command with the compilers of the kernel that ensure_debian has chosen.
with_compilers() {
	if [[ $FOREIGN ]]; then inside "$FOREIGN" "$@"; else "$@"; fi
}

# debian_release DIR: prints the latest release of the series whose image, headers and source have one version, and that
# version.
debian_release() {
	local release version
	while read -r release; do
		version=$(debian_version "$1" "linux-headers-$release")
		if private_apt "$1" apt-cache madison "linux-source-$SERIES" 2>/dev/null | awk '{ print $3 }' | grep -qxF -- "$version"; then
			echo "$release $version"
			return
		fi
	done < <(private_apt "$1" apt-cache pkgnames "linux-image-$SERIES" 2>/dev/null |
		sed -n -E "s/^linux-image-($SERIES\.[0-9]+\+deb[0-9]+-amd64)$/\1/p" | sort -rV)
	return 1
}

# debian_version DIR PACKAGE: prints the version that apt would install.
debian_version() {
	LC_ALL=C private_apt "$1" apt-cache policy "$2" 2>/dev/null | sed -n 's/^  Candidate: //p'
}

# fetch_debian SUITE MIRROR: unpacks the packages of the kernel below a directory of its release in the cache.
fetch_debian() {
	local suite=$1 dir=$CACHE/apt-$1 into release version suites=("$1") common archive
	[[ $suite != trixie ]] || suites+=(trixie-backports)
	read_suites "$dir" "$2" "${suites[@]}"
	read -r release version < <(debian_release "$dir") || {
		echo "none of ${suites[*]} has an image, headers and source of Linux $SERIES"
		return 1
	}
	common=${release%-*}
	echo "Linux $release, $version"
	into=$CACHE/debian-$suite-$release
	rm -rf "$into.partial" && mkdir -p "$into.partial/root"
	rm -f "$dir"/*.deb
	(cd "$dir" && private_apt "$dir" apt-get download "linux-headers-$release=$version" "linux-headers-$common-common=$version" \
		"linux-kbuild-$common" "linux-binary-$release=$version" "linux-modules-$release=$version" "linux-source-$SERIES=$version")
	for archive in "$dir"/*.deb; do
		dpkg-deb -x "$archive" "$into.partial/root"
	done
	# Keep the modules that mount the host's file system, in the order of loading, and remove the others.
	pick_modules "$into.partial"
	echo "$release" >"$into.partial/release"
	rm -f "$dir"/*.deb
	rm -rf "$into"
	mv "$into.partial" "$into"
}

# pick_modules DIR: copies the modules for 9p that are not built into the kernel to DIR/modules, with numbers.
pick_modules() {
	local module found n=0
	mkdir "$1/modules"
	for module in netfs 9pnet 9pnet_virtio 9p; do
		found=$(find "$1/root/usr/lib/modules" -name "$module.ko*")
		[[ $found ]] || continue
		n=$((n + 1))
		case $found in
		*.xz) xz -dc "$found" ;;
		*.zst) zstd -dc "$found" ;;
		*) cat "$found" ;;
		esac >"$1/modules/$n-$module.ko"
	done
	mv "$1"/root/usr/lib/modules/*/vmlinuz "$1/vmlinuz"
	rm -rf "$1/root/usr/lib/modules"
}

# have_debian SUITE: sets KERNEL_DIR to the latest kernel in the cache.
have_debian() {
	KERNEL_DIR=$(find "$CACHE" -maxdepth 1 -name "debian-$1-$SERIES.*" ! -name '*.partial' | sort -V | tail -n 1)
	export KERNEL_DIR
	[[ $KERNEL_DIR ]]
}

# ensure_debian KERNEL: gets a kernel of Debian and the metadata of its Rust code. Sets KERNEL_DIR, and FOREIGN to the
# suite of the compilers if the machine does not have them.
ensure_debian() {
	local suite from headers why SERIES=$SERIES
	[[ $1 != debian-next ]] || SERIES=$NEXT_SERIES
	suite=$(debian_suite)
	from=$(mirror || true)
	if ! have_debian "$suite"; then
		[[ $from && -e $KEYRING ]] ||
			die "apt of this machine has no Debian mirror, from which Debian's kernel would be downloaded" \
				"Use Debian for this, or another kernel: lab/run --kernel plain"
		step "debian-fetch" "getting Debian's Linux $SERIES of $suite, with its headers and source: 350 MB, verified by apt" "1 min" \
			"the Debian mirror of this machine's apt must be reachable; run this again" strict fetch_debian "$suite" "$from"
		have_debian "$suite" || die "no kernel of Debian $suite is in $CACHE, although one was just unpacked" \
			"Look at $LOGS/debian-fetch.log, remove $CACHE/debian-$suite-*, and run this again."
	fi
	headers=$KERNEL_DIR/root/usr/src/linux-headers-$(<"$KERNEL_DIR/release")
	FOREIGN=''
	if ! why=$("$ROOT/lab/check-kdir" --compilers "$headers" 2>&1 >/dev/null); then
		FOREIGN=$suite
		why=${why%%$'\n'*}
		ensure_suite "$suite" "the compilers of this machine are not those of Debian's kernel (${why##*"$headers: "})"
	fi
	# Nothing to do if the metadata are complete.
	with_compilers "$ROOT/lab/kernel-metadata" --check --root "$KERNEL_DIR/root" --out "$KERNEL_DIR/metadata" \
		"$(<"$KERNEL_DIR/release")" 2>/dev/null && return
	step "debian-metadata" "making the metadata of Rust that Debian's headers lack" "2 to 4 min" \
		"see the log; with little disk, free 3 GB below $CACHE" strict make_debian_metadata
}

# make_debian_metadata: makes the metadata of Rust that the headers lack.
make_debian_metadata() {
	with_compilers "$ROOT/lab/kernel-metadata" --verbose --root "$KERNEL_DIR/root" --out "$KERNEL_DIR/metadata" \
		--source "$KERNEL_DIR/root/usr/src/linux-source-$SERIES.tar.xz" "$(<"$KERNEL_DIR/release")"
}
