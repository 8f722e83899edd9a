# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Finds the compilers and names them explicitly: another toolchain may come first in PATH, and may lack the source of its
# library, or be another build than that of the kernel. Sourced by lab/prepare, and by scripts that use kbuild.

BINDGEN_VERSION=0.73.2

# find_rust: sets RUSTC and CARGO.
find_rust() {
	RUSTC=${KMSGPIPE_RUSTC:-/usr/bin/rustc}
	CARGO=${KMSGPIPE_CARGO:-${RUSTC%/*}/cargo}
	command -v "$RUSTC" >/dev/null || die "this machine has no $RUSTC" "Install rustc 1.85 or later, or name it: KMSGPIPE_RUSTC=/path/to/rustc"
	[[ -d $("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library ]] ||
		die "$RUSTC has no source of the Rust library, which the kernel build needs" "Install the package rust-src (or rust-web-src)."
	export RUSTC CARGO
	# The builds have their own crates and registries, apart from those of the user.
	export CARGO_HOME=$CACHE/cargo
	export PATH=/usr/bin:/bin:$PATH
}

# find_toolchain: sets RUSTC, CARGO, LLVM_N and LIBCLANG_PATH.
find_toolchain() {
	local n
	find_rust
	LLVM_N=''
	for n in "$("$RUSTC" -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')" 22 21 20 19 18 17; do
		if [[ -x /usr/bin/clang-$n && -x /usr/bin/ld.lld-$n && -x /usr/bin/llvm-nm-$n ]] &&
			compgen -G "/usr/lib/llvm-$n/lib/libclang*.so*" >/dev/null; then
			LLVM_N=$n
			break
		fi
	done
	[[ -n $LLVM_N ]] || die "this machine has no clang-17 or later with lld and llvm of the same version" "Install clang-22 lld-22 llvm-22 libclang-22-dev, or another version from 17 on."
	export LLVM_N LIBCLANG_PATH=/usr/lib/llvm-$LLVM_N/lib
}

# host_id: prints what a program that is built here needs at run time: another host that shares the cache may lack it.
host_id() {
	uname -m
	getconf GNU_LIBC_VERSION
	(. /etc/os-release && echo "${ID:-} ${VERSION_ID:-${VERSION_CODENAME:-}}") 2>/dev/null || true
}

# build_bindgen DIR: builds bindgen into DIR.
build_bindgen() {
	"$CARGO" install bindgen-cli --locked --version "$BINDGEN_VERSION" --root "$1.partial" &&
		rm -rf "$1" && mv "$1.partial" "$1"
}

# ensure_bindgen: sets BINDGEN to that of the system, or builds one into the cache.
ensure_bindgen() {
	local version dir
	dir=$CACHE/bindgen-$BINDGEN_VERSION-$({ host_id && "$RUSTC" -vV; } | sha256sum | cut -c 1-8)
	version=$(/usr/bin/bindgen --version 2>/dev/null | sed 's/.* //' || true)
	if [[ -n $version && $(printf '%s\n' 0.71.1 "$version" | sort -V | head -n 1) == 0.71.1 ]]; then
		BINDGEN=/usr/bin/bindgen
	else
		BINDGEN=$dir/bin/bindgen
		if [[ ! -x $BINDGEN ]]; then
			rm -rf "$dir.partial"
			step bindgen "building bindgen $BINDGEN_VERSION, as the system's is missing or too old" "90 s" \
				"the crate registry must be reachable; run this again" build_bindgen "$dir"
		fi
	fi
	export BINDGEN
}

# toolchain_id: prints what a kernel's build depends on, for its directory in the cache: the compilers, their paths, and
# the host, which runs programs that the build makes for its own use.
toolchain_id() {
	host_id
	echo "$RUSTC $BINDGEN"
	"$RUSTC" -vV
	"clang-$LLVM_N" --version
	"$BINDGEN" --version
}

# kbuild ARGUMENT...: runs the kernel's make with these compilers and without pahole, which only BTF needs. Kbuild warns
# if the kernel was built with another pahole than the module, and lint allows no warning.
kbuild() {
	make -C "$LINUX" "LLVM=-$LLVM_N" "RUSTC=$RUSTC" "BINDGEN=$BINDGEN" PAHOLE=none "$@"
}
