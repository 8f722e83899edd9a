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

# rust_packages: rustc 1.85 or later with its library's source, and the tools beside it.
rust_packages() {
	local version
	version=$(candidate rustc)
	if [[ -n $version ]] && dpkg --compare-versions "$version" ge 1.85; then
		echo rustc cargo rust-src rustfmt rust-clippy
	elif [[ -n $(candidate rustc-web) ]]; then
		echo rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy
	fi
}

# llvm_of PACKAGE: the version of LLVM that it depends on.
llvm_of() {
	LC_ALL=C apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "$1" | grep -oE 'libllvm[0-9]+' | grep -oE '[0-9]+' | head -n 1 || true
}

# llvm_packages: the LLVM that rustc is built on, if there is a clang of it, or else the latest that
# the kernel builds with. Mixing is no problem for the kernel, but a clang that is much newer than
# bindgen is one for bindgen.
llvm_packages() {
	local n
	for n in "$(llvm_of "$(rust_packages | cut -d ' ' -f 1)")" 22 21 20 19 18 17; do
		if [[ -n $(candidate "clang-$n") && -n $(candidate "libclang-$n-dev") ]]; then
			echo "clang-$n lld-$n llvm-$n libclang-$n-dev"
			return
		fi
	done
}

# wanted_packages: everything that the builds, the lab and the tests need.
wanted_packages() {
	local bindgen
	echo make gcc libc6-dev bc flex bison perl python3 libelf-dev libssl-dev xz-utils cpio kmod
	echo busybox-static qemu-system-x86 ca-certificates curl shellcheck socat mandoc
	rust_packages
	llvm_packages
	bindgen=$(candidate bindgen)
	if [[ -n $bindgen ]] && dpkg --compare-versions "$bindgen" ge 0.71.1; then echo bindgen; fi
}

# install_packages: the step itself.
install_packages() {
	local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y
		--no-install-recommends "$@")
	# What an interrupted run left half done.
	as_root dpkg --configure -a || return 1
	if ! as_root "${install[@]}"; then
		echo "once more, with fresh package lists"
		as_root apt-get update
		as_root "${install[@]}"
	fi
}

# ensure_packages: installs what is missing and says so before. What was found complete once is
# not looked up again until the package database changes.
ensure_packages() {
	local stamp=$CACHE/packages-ok package missing=() wanted
	if ! command -v apt-get >/dev/null; then
		say "no apt here: the compilers and QEMU must be installed by hand (docs/testing.md lists them)"
		return
	fi
	[[ $stamp -nt /var/lib/dpkg/status && $stamp -nt $ROOT/lab/packages.sh ]] && return

	if [[ -z $(candidate gcc) || -z $(rust_packages) || -z $(llvm_packages) ]]; then
		ask_for_root "reading the package lists"
		step apt-update "reading the package lists: they are missing or old" "10 s" \
			"see that apt-get update works on this machine, then run this again" \
			as_root apt-get update
	fi
	[[ -n $(rust_packages) ]] ||
		die "no package has rustc 1.85 or later (rustc or rustc-web)" "Linux 7.2 needs it; use Debian 12 or 13, or later."
	[[ -n $(llvm_packages) ]] ||
		die "no package has clang 17 or later with libclang" "Linux 7.2 needs it; use Debian 12 or 13, or later."

	read -r -d '' -a wanted < <(wanted_packages) || true
	for package in "${wanted[@]}"; do
		installed "$package" || missing+=("$package")
	done
	if ((${#missing[@]})); then
		say "these packages are missing and will be installed: ${missing[*]}"
		ask_for_root "installing packages"
		step packages "installing ${#missing[@]} packages: compilers, QEMU and build tools" "1 to 3 min" \
			"see the log; apt-get install ${missing[*]} must work" install_packages "${missing[@]}"
	fi
	touch "$stamp"
}
