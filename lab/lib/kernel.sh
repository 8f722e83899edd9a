# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds the lab's kernels into the cache. Sourced by lab/prepare.

# The kernels: plain and debug; debian and debian-next, which Debian ships (lab/lib/debian.sh gets them); next, which is
# plain of the next series; intree, which is plain with the module built in (lab/lib/intree.sh builds it from the build
# tree of plain).
export KERNELS='plain debug debian debian-next next intree'

# config_of KERNEL: prints the configuration fragment of a kernel.
config_of() {
	case $1 in
	plain) cat "$ROOT/lab/kernel/plain.config" ;;
	debug) cat "$ROOT/lab/kernel/plain.config" "$ROOT/lab/kernel/debug.config" ;;
	# 7.3 has one option where 7.2 had SYSCTL and PROC_SYSCTL.
	next) grep -v '^CONFIG_PROC_SYSCTL=' "$ROOT/lab/kernel/plain.config" ;;
	esac
}

# options_of KERNEL: prints the options of the fragment, without its comments.
options_of() { config_of "$1" | sed -nE '/^(# )?CONFIG_/p'; }

# kernel_dir KERNEL: prints the directory of a kernel in the cache, which depends on source, options and toolchain.
kernel_dir() {
	local key
	key=$({ echo "$LINUX" && options_of "$1" && toolchain_id; } | sha256sum | cut -c 1-16)
	echo "$CACHE/kernel-$1-$key"
}

# check_config DIR KERNEL: fails if the kernel has not accepted an option. Kbuild drops such options without a message.
check_config() {
	local line option found missing=0
	while read -r line; do
		option=$(grep -o 'CONFIG_[A-Z0-9_]*' <<<"$line")
		found=$(grep -E "^(# )?${option}[ =]" "$1/.config" || true)
		# An option that must be off may be invisible.
		[[ $found == "$line" || ($line == "# "* && -z $found) ]] && continue
		echo "the configuration asks for '$line', but after kconfig it says '${found:-nothing}'"
		missing=1
	done < <(options_of "$2")
	return $missing
}

# build_kernel KERNEL DIR: builds a kernel. It is complete only if its stamp exists.
build_kernel() {
	rm -rf "$2" && mkdir -p "$2" && config_of "$1" >"$2/fragment" || return 1
	kbuild "O=$2" "KCONFIG_ALLCONFIG=$2/fragment" allnoconfig || return 1
	check_config "$2" "$1" || return 1
	kbuild "O=$2" -j "$(nproc)" bzImage modules || return 1
	touch "$2/.complete"
}

# ensure_kernel KERNEL: builds a kernel if it is missing, and sets KERNEL_DIR.
ensure_kernel() {
	local why
	case $1 in
	debian | debian-next)
		ensure_debian "$1"
		return
		;;
	intree) set -- plain ;;
	esac
	KERNEL_DIR=$(kernel_dir "$1")
	export KERNEL_DIR
	# A kernel that was built with pahole is built again, for the reason that kbuild gives.
	[[ -e $KERNEL_DIR/.complete ]] && grep -qxF 'CONFIG_PAHOLE_VERSION=0' "$KERNEL_DIR/.config" && return
	case $1 in
	debug) why='KASAN, lockdep, kmemleak and fault injection for the tests' ;;
	*) why="a small Linux $SERIES with Rust, for the virtual machine" ;;
	esac
	step "kernel-$1" "building the $1 kernel: $why" "7 min on two cores" \
		"an interrupted build starts anew; with little disk, free 3 GB below $CACHE" \
		strict build_kernel "$1" "$KERNEL_DIR"
}
