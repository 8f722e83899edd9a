# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds this project for a kernel of the lab, into build/. Sourced by lab/prepare.

# What the kernel's build reads of this project.
SOURCES=(Kbuild Kconfig kmsgpipe.rs src include)

# fresh FILE SOURCE...: whether FILE is newer than all of the sources.
fresh() {
	local file=$1
	shift
	[[ -e $file && -z $(find "$@" -newer "$file" -print -quit) ]]
}

# anew FILE COMMAND...: builds what FILE stands for. FILE is there afterwards, as old as the start of
# the build, only if that went through: what an interrupted build left is not taken for built, and
# an edit meanwhile is not lost.
anew() {
	local file=$1
	shift
	mkdir -p "${file%/*}"
	rm -f "$file"
	touch "$file.started"
	"$@" || return 1
	mv "$file.started" "$file"
}

# build_module KERNEL
build_module() {
	local dir=$BUILD/$1
	rm -rf "$dir" && mkdir -p "$dir" || return 1
	kbuild "O=$KERNEL_DIR" "M=$ROOT" "MO=$dir" modules || return 1
	# Which kernel, and so which compiler, it was built for.
	echo "$KERNEL_DIR" >"$dir/.kernel"
}

# ensure_module KERNEL: build/KERNEL/kmsgpipe.ko.
ensure_module() {
	[[ $(cat "$BUILD/$1/.kernel" 2>/dev/null) == "$KERNEL_DIR" ]] &&
		fresh "$BUILD/stamp/module-$1" "${SOURCES[@]/#/$ROOT/}" && return
	if [[ $1 == intree ]]; then
		step intree "building the module in the kernel's tree, as a module and built in" "2 min" \
			"mend what the compiler says" anew "$BUILD/stamp/module-intree" strict build_intree
		return
	fi
	step "module-$1" "building the module for the $1 kernel" "15 s" \
		"mend what the compiler says" anew "$BUILD/stamp/module-$1" build_module "$1"
}

# The triple is named so that the static C library is not asked of macros and build scripts.
TARGET=x86_64-unknown-linux-gnu

# The programs for the virtual machine.
TOOLS=(kmsgpipectl kmsgpipe-fuzz kmsgpipe-bench)

# cargo_tools ARGUMENT...: cargo on the user space tools.
cargo_tools() {
	(cd "$ROOT/tools" && "$CARGO" "$@")
}

# build_tool
build_tool() {
	local tool
	cargo_tools build --release --locked --target "$TARGET" "${TOOLS[@]/#/--bin=}" || return 1
	for tool in "${TOOLS[@]}"; do
		install -D -m 755 "$ROOT/tools/target/$TARGET/release/$tool" "$BUILD/bin/$tool" || return 1
	done
}

# ensure_tool: those programs in build/bin, static.
ensure_tool() {
	fresh "$BUILD/stamp/tool" "$ROOT"/tools/{Cargo.toml,Cargo.lock,.cargo,kmsgpipe-sys} "${TOOLS[@]/#/$ROOT/tools/}" \
		"$ROOT/include" "$ROOT/src/uapi" && return
	step tool "building kmsgpipectl, the fuzzer and the benchmark" "2 min" "the crate registry must be reachable the first time; run this again" \
		anew "$BUILD/stamp/tool" build_tool
}

# build_selftests
build_selftests() {
	rm -rf "$BUILD/selftests" || return 1
	make -C "$ROOT/selftests" "OUTPUT=$BUILD/selftests" "KSRC=$LINUX" "CLANG=clang-$LLVM_N"
}

# ensure_selftests: build/selftests.
ensure_selftests() {
	fresh "$BUILD/stamp/selftests" "$ROOT/selftests" "$ROOT/include" && return
	step selftests "building the selftests" "15 s" "mend what the compiler says" \
		anew "$BUILD/stamp/selftests" build_selftests
}

# build_all KERNEL
build_all() {
	ensure_module "$1"
	ensure_tool
	ensure_selftests
}
