# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds the lab's kernels into the cache. Sourced by lab/prepare.

# What there is: plain and debug; debian and debian-next, which Debian ships (lab/lib/debian.sh gets those); next, which is
# plain of the next series; and intree, which is plain with the module built in (lab/lib/intree.sh makes that
# one, of plain's build tree).
export KERNELS='plain debug debian debian-next next intree'

# config_of KERNEL: its configuration fragment.
config_of() {
	case $1 in
	plain) cat "$ROOT/lab/kernel/plain.config" ;;
	debug) cat "$ROOT/lab/kernel/plain.config" "$ROOT/lab/kernel/debug.config" ;;
	# 7.3 has one option where 7.2 had SYSCTL and PROC_SYSCTL.
	next) grep -v '^CONFIG_PROC_SYSCTL=' "$ROOT/lab/kernel/plain.config" ;;
	esac
}

# options_of KERNEL: the lines of that which ask for something, without what is said about them.
options_of() { config_of "$1" | sed -nE '/^(# )?CONFIG_/p'; }

# kernel_dir KERNEL: its place in the cache, by source, options and toolchain.
kernel_dir() {
	local key
	key=$({ echo "$LINUX" && options_of "$1" && toolchain_id; } | sha256sum | cut -c 1-16)
	echo "$CACHE/kernel-$1-$key"
}

# check_config DIR KERNEL: unmet options vanish silently; here they fail.
check_config() {
	local line option found missing=0
	while read -r line; do
		option=$(grep -o 'CONFIG_[A-Z0-9_]*' <<<"$line")
		found=$(grep -E "^(# )?${option}[ =]" "$1/.config" || true)
		# An option that is to be off may be out of reach altogether.
		[[ $found == "$line" || ($line == "# "* && -z $found) ]] && continue
		echo "the configuration asks for '$line', but after kconfig it says '${found:-nothing}'"
		missing=1
	done < <(options_of "$2")
	return $missing
}

# build_kernel KERNEL DIR: complete only when the stamp is there.
build_kernel() {
	rm -rf "$2" && mkdir -p "$2" && config_of "$1" >"$2/fragment" || return 1
	kbuild "O=$2" "KCONFIG_ALLCONFIG=$2/fragment" allnoconfig || return 1
	check_config "$2" "$1" || return 1
	kbuild "O=$2" -j "$(nproc)" bzImage modules || return 1
	touch "$2/.complete"
}

# ensure_kernel KERNEL: sets KERNEL_DIR.
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
	# A kernel that was built with pahole is built anew: the comment at kbuild says why.
	[[ -e $KERNEL_DIR/.complete ]] && grep -qxF 'CONFIG_PAHOLE_VERSION=0' "$KERNEL_DIR/.config" && return
	case $1 in
	debug) why='KASAN, lockdep, kmemleak and fault injection for the tests' ;;
	*) why="a small Linux $SERIES with Rust, for the virtual machine" ;;
	esac
	step "kernel-$1" "building the $1 kernel: $why" "7 min on two cores" \
		"an interrupted build starts anew; with little disk, free 3 GB below $CACHE" \
		strict build_kernel "$1" "$KERNEL_DIR"
}
