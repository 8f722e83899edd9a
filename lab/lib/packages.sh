# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Installs missing packages from the machine's own sources. Sourced by lab/prepare.

# candidate PACKAGE: prints the version that apt would install, or nothing.
candidate() {
	LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vFx '(none)' || true
}

# installed PACKAGE: whether a package is installed.
installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# MINIMUM_RUST: the oldest Rust that builds Linux 7.2.
MINIMUM_RUST=1.85
MINIMUM_BINDGEN=0.71.1

# rust_packages: prints the packages of rustc, the source of its library, and its tools. Prints nothing if no rustc is new
# enough.
rust_packages() {
	local version
	version=$(candidate rustc)
	if [[ -n $version ]] && dpkg --compare-versions "$version" ge "$MINIMUM_RUST"; then
		echo rustc cargo rust-src rustfmt rust-clippy
	elif dpkg --compare-versions "$(candidate rustc-web)" ge "$MINIMUM_RUST"; then
		echo rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy
	fi
}

# llvm_of PACKAGE: prints the version of LLVM that a package depends on.
llvm_of() {
	LC_ALL=C apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$1" | grep -oE 'libllvm[0-9]+' | grep -oE '[0-9]+' | head -n 1 || true
}

# llvm_version: prints the version of LLVM that rustc uses if there is a clang of it, otherwise the latest that builds the
# kernel. The kernel can be built with two versions, but bindgen fails with a clang that is much newer.
llvm_version() {
	local n
	for n in "$(llvm_of "$(rust_packages | cut -d ' ' -f 1)")" 22 21 20 19 18 17; do
		if [[ -n $(candidate "clang-$n") && -n $(candidate "libclang-$n-dev") ]]; then
			echo "$n"
			return
		fi
	done
}

# has_bindgen: whether the bindgen of the system is new enough.
has_bindgen() {
	local version
	version=$(candidate bindgen)
	[[ -n $version ]] && dpkg --compare-versions "$version" ge "$MINIMUM_BINDGEN"
}

# wanted_packages GROUP: prints the packages that are needed
#   machine  for the virtual machine
#   module   beside that, for the module and kmsgpipectl where the kernel is that of the machine's own suite
#   deb      for the Debian packages
#   all      for all builds, the lab and the tests
wanted_packages() {
	local n rust
	case $1 in
	machine) echo qemu-system-x86 busybox-static cpio kmod xz-utils ca-certificates ;;
	module)
		read -r -a rust < <(rust_packages)
		echo make gcc libc6-dev "${rust[@]:0:3}" bindgen libclang-dev pahole libelf1t64 libssl3t64 xz-utils
		;;
	deb)
		read -r -a rust < <(rust_packages)
		echo build-essential debhelper dh-dkms libclang-dev "${rust[@]:0:2}"
		;;
	all)
		echo make gcc libc6-dev bc flex bison perl python3 libelf-dev libssl-dev xz-utils cpio kmod
		echo busybox-static qemu-system-x86 ca-certificates curl shellcheck socat mandoc
		# The programs that selftests/basic/everyday.sh tests and that a Debian may lack.
		echo zsh gawk mawk pv jq nodejs
		rust_packages
		n=$(llvm_version)
		echo "clang-$n lld-$n llvm-$n libclang-$n-dev"
		! has_bindgen || echo bindgen
		;;
	esac
}

# explain_choice GROUP: prints which alternatives were chosen, and why.
explain_choice() {
	local rust llvm why
	[[ $1 != machine ]] || return 0
	rust=$(rust_packages | cut -d ' ' -f 1)
	why="it is $MINIMUM_RUST or later, which Linux 7.2 needs"
	[[ $rust == rustc ]] || why="the package rustc has $(candidate rustc | sed 's/[-+].*//'), and Linux 7.2 needs $MINIMUM_RUST"
	say "Rust: $rust $(candidate "$rust"), as $why"
	[[ $1 == all ]] || return 0
	llvm=$(llvm_version)
	why='the latest that there is'
	[[ $llvm != "$(llvm_of "$rust")" ]] || why='as that Rust is built on it'
	say "LLVM: clang-$llvm $(candidate "clang-$llvm"), $why"
	if has_bindgen; then
		say "bindgen: $(candidate bindgen), the system's"
	else
		say "bindgen: built here, as the system's is $(candidate bindgen | sed 's/[-+].*//') and Linux 7.2 needs $MINIMUM_BINDGEN"
	fi
}

# The directory of apt's lists. apt downloads new ones into a directory below it first.
APT_LISTS=/var/lib/apt/lists

# lists_are_old: whether apt has not read its lists for a day.
lists_are_old() { [[ -z $(find "$APT_LISTS/partial" -maxdepth 0 -mmin -1440 2>/dev/null) ]]; }

# read_lists: reads the lists. A source that cannot be read is no failure: the other sources may have the packages.
read_lists() {
	as_root apt-get update || echo "not all of the lists could be read; going on with those that could"
}

# install_packages: installs the missing packages.
install_packages() {
	# Complete what an interrupted run has left unconfigured.
	as_root dpkg --configure -a || return 1
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@"
}

# ensure_packages GROUP: installs the missing packages of a group, after a message. A complete group is not checked again
# until the package database changes; its stamp is in the cache, which machines can share.
ensure_packages() {
	local stamp package missing=() wanted
	if ! command -v apt-get >/dev/null; then
		say "this machine has no apt: install the compilers and QEMU by hand (docs/lab.md lists them)"
		return
	fi
	stamp=$CACHE/packages/$1-$(cat /var/lib/dpkg/status "$ROOT/lab/lib/packages.sh" | sha256sum | cut -c 1-16)
	[[ ! -e $stamp ]] || return 0

	if lists_are_old; then
		ask_for_root "reading the package lists"
		step apt-update "reading the package lists: they are older than a day" "10 s" \
			"see that apt-get update works on this machine, then run this again" read_lists
	fi
	if [[ $1 != machine ]]; then
		[[ -n $(rust_packages) ]] ||
			die "no package has rustc $MINIMUM_RUST or later (rustc or rustc-web)" "Linux 7.2 needs it; use Debian 12 or 13, or later."
	fi
	if [[ $1 == all ]]; then
		[[ -n $(llvm_version) ]] ||
			die "no package has clang 17 or later with libclang" "Linux 7.2 needs it; use Debian 12 or 13, or later."
	fi

	read -r -d '' -a wanted < <(wanted_packages "$1") || true
	for package in "${wanted[@]}"; do
		installed "$package" || missing+=("$package")
	done
	if ((${#missing[@]})); then
		explain_choice "$1"
		say "these packages are missing and will be installed: ${missing[*]}"
		ask_for_root "installing packages"
		step packages "installing ${#missing[@]} packages: compilers, QEMU and build tools" "1 to 3 min" \
			"see the log; apt-get install ${missing[*]} must work" install_packages "${missing[@]}"
		stamp=$CACHE/packages/$1-$(cat /var/lib/dpkg/status "$ROOT/lab/lib/packages.sh" | sha256sum | cut -c 1-16)
	fi
	mkdir -p "$CACHE/packages"
	find "$CACHE/packages" -type f -mtime +30 -delete
	touch "$stamp"
}

# rsyslog_in TREE: unpacks rsyslog and those of its dependencies that a Debian may lack.
rsyslog_in() {
	[[ -d $1 ]] || step rsyslog "getting rsyslogd: 1 MB, verified by apt" "10 s" \
		"the Debian mirror of this machine's apt must be reachable; run this again" \
		unpack_packages "$1" rsyslog libestr0 libfastjson4 liblognorm5
}

# ensure_rsyslog: makes build/bin/rsyslogd, for selftests/basic/third_party.sh. rsyslog is unpacked in the cache, because
# an installed rsyslog would be started on this machine, now and at every boot. Without apt, an installed one is used.
ensure_rsyslog() {
	local tree lib
	! command -v rsyslogd >/dev/null && command -v apt-get >/dev/null || return 0
	tree=$CACHE/rsyslog-$(system) lib=$tree/usr/lib/$(gcc -print-multiarch)
	locked "$CACHE/lock" rsyslog_in "$tree"
	mkdir -p "$BUILD/bin"
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q -M %q "$@"\n' "$lib" "$tree/usr/sbin/rsyslogd" "$lib/rsyslog" >"$BUILD/bin/rsyslogd"
	chmod +x "$BUILD/bin/rsyslogd"
}
