# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Installs what is missing, from the machine's own package sources. Sourced by lab/prepare.

# candidate PACKAGE: the version that apt would install; empty if there is none.
candidate() {
	LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vFx '(none)' || true
}

# installed PACKAGE
installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# MINIMUM_RUST: what Linux 7.2 is built with at least.
MINIMUM_RUST=1.85
MINIMUM_BINDGEN=0.71.1

# rust_packages: rustc and the source of its library, and the tools beside it; nothing if none is new enough.
rust_packages() {
	local version
	version=$(candidate rustc)
	if [[ -n $version ]] && dpkg --compare-versions "$version" ge "$MINIMUM_RUST"; then
		echo rustc cargo rust-src rustfmt rust-clippy
	elif dpkg --compare-versions "$(candidate rustc-web)" ge "$MINIMUM_RUST"; then
		echo rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy
	fi
}

# llvm_of PACKAGE: the version of LLVM that it depends on.
llvm_of() {
	LC_ALL=C apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$1" | grep -oE 'libllvm[0-9]+' | grep -oE '[0-9]+' | head -n 1 || true
}

# llvm_version: the LLVM that rustc is built on, if there is a clang of it, or else the latest that
# the kernel builds with. Mixing is no problem for the kernel, but a clang that is much newer than
# bindgen is one for bindgen.
llvm_version() {
	local n
	for n in "$(llvm_of "$(rust_packages | cut -d ' ' -f 1)")" 22 21 20 19 18 17; do
		if [[ -n $(candidate "clang-$n") && -n $(candidate "libclang-$n-dev") ]]; then
			echo "$n"
			return
		fi
	done
}

# has_bindgen: whether the system's is new enough.
has_bindgen() {
	local version
	version=$(candidate bindgen)
	[[ -n $version ]] && dpkg --compare-versions "$version" ge "$MINIMUM_BINDGEN"
}

# wanted_packages GROUP: what is needed
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
		# What selftests/everyday.sh tries, of what a Debian may be without.
		echo zsh gawk mawk pv jq nodejs
		rust_packages
		n=$(llvm_version)
		echo "clang-$n lld-$n llvm-$n libclang-$n-dev"
		! has_bindgen || echo bindgen
		;;
	esac
}

# explain_choice GROUP: what was chosen where there was a choice, and why.
explain_choice() {
	local rust llvm why
	[[ $1 != machine ]] || return 0
	rust=$(rust_packages | cut -d ' ' -f 1)
	why="it is $MINIMUM_RUST or later, which Linux 7.2 needs"
	[[ $rust == rustc ]] || why="rustc here is $(candidate rustc | sed 's/[-+].*//'), and Linux 7.2 needs $MINIMUM_RUST"
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

# Where apt keeps its lists. What it reads anew comes into a directory in there first.
APT_LISTS=/var/lib/apt/lists

# lists_are_old: whether apt has not read its lists for a day.
lists_are_old() { [[ -z $(find "$APT_LISTS/partial" -maxdepth 0 -mmin -1440 2>/dev/null) ]]; }

# read_lists: a source that cannot be read is no reason to give up: what is needed may be in the others.
read_lists() {
	as_root apt-get update || echo "not all of the lists could be read; going on with those that could"
}

# install_packages: the step itself.
install_packages() {
	# What an interrupted run left half done.
	as_root dpkg --configure -a || return 1
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends "$@"
}

# ensure_packages GROUP: installs what is missing of it and says so before. What was found complete once is
# not looked up again until the package database changes; the cache may be another machine's, too.
ensure_packages() {
	local stamp package missing=() wanted
	if ! command -v apt-get >/dev/null; then
		say "no apt here: the compilers and QEMU must be installed by hand (docs/testing.md lists them)"
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

# rsyslog_in TREE: rsyslog and what a Debian is without otherwise, of what it needs.
rsyslog_in() {
	[[ -d $1 ]] || step rsyslog "getting rsyslogd: 1 MB, verified by apt" "10 s" \
		"the Debian mirror of this machine's apt must be reachable; run this again" \
		unpack_packages "$1" rsyslog libestr0 libfastjson4 liblognorm5
}

# ensure_rsyslog: build/bin/rsyslogd, which selftests/strangers.sh tries. Installed, it would be started on this machine,
# now and at every boot: it is unpacked in the cache instead. Without apt it is only tried where it is installed.
ensure_rsyslog() {
	local tree lib
	! command -v rsyslogd >/dev/null && command -v apt-get >/dev/null || return 0
	tree=$CACHE/rsyslog-$(system) lib=$tree/usr/lib/$(gcc -print-multiarch)
	locked "$CACHE/lock" rsyslog_in "$tree"
	mkdir -p "$BUILD/bin"
	printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q -M %q "$@"\n' "$lib" "$tree/usr/sbin/rsyslogd" "$lib/rsyslog" >"$BUILD/bin/rsyslogd"
	chmod +x "$BUILD/bin/rsyslogd"
}
