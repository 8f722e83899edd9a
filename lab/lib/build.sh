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
	"$@"
	# Not as a condition: see strict.
	# shellcheck disable=SC2181
	(($? == 0)) || return 1
	mv "$file.started" "$file"
}

# build_module KERNEL
build_module() {
	local dir=$BUILD/$1
	rm -rf "$dir" && mkdir -p "$dir" || return 1
	if [[ $1 == debian* ]]; then
		with_compilers make modules "KDIR=$KERNEL_DIR/metadata/build" "MO=$dir" || return 1
	else
		kbuild "O=$KERNEL_DIR" "M=$ROOT" "MO=$dir" modules || return 1
	fi
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

# The programs for the virtual machine.
TOOLS=(kmsgpipectl kmsgpipe-fuzz kmsgpipe-bench kmsgpipe-tokio)

# cargo_tools ARGUMENT...: cargo on the user space tools, by way of CARGO_BY if that is set.
cargo_tools() {
	(cd "$ROOT/tools" && ${CARGO_BY:-} "$CARGO" "$@")
}

# build_tools TOOL...: programs for this machine, into build/bin: static ones, where there is a static C library.
# The target is named so that this is not asked of macros and build scripts, which cannot be.
build_tools() {
	local tool target flags='' started=$BUILD/stamp/tools.started
	mkdir -p "$BUILD/stamp"
	rm -f "${@/#/$BUILD/stamp/tool-}"
	# An edit during the build is not lost.
	touch "$started"
	# The compiler that cargo takes.
	target=$(${CARGO_BY:-} "${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
	[[ $target ]] || return 1
	if [[ $target != *-gnu* ]] || [[ $(${CARGO_BY:-} gcc -print-file-name=libc.a) == /* ]]; then
		flags='-C target-feature=+crt-static'
	else
		echo "there is no static C library here (libc.a): what is built needs the shared one of this machine"
	fi
	cargo_tools build --release --locked --target "$target" --config "target.$target.rustflags=\"$flags\"" \
		"${@/#/--bin=}" || return 1
	for tool in "$@"; do
		install -D -m 755 "$ROOT/tools/target/$target/release/$tool" "$BUILD/bin/$tool" || return 1
		touch -r "$started" "$BUILD/stamp/tool-$tool"
	done
}

# tool_is_fresh TOOL
tool_is_fresh() {
	[[ -e $BUILD/bin/$1 ]] && fresh "$BUILD/stamp/tool-$1" "$ROOT"/tools/{Cargo.toml,Cargo.lock,kmsgpipe,kmsgpipe-sys,kmsgpipectl} \
		"$ROOT/tools/$1" "$ROOT/include" "$ROOT/src/uapi"
}

# ensure_tools WHAT TOOL...: those programs in build/bin.
ensure_tools() {
	local what=$1 tool stale=()
	shift
	for tool in "$@"; do
		tool_is_fresh "$tool" || stale+=("$tool")
	done
	((${#stale[@]} == 0)) ||
		step tools "building $what" "2 min" "the crate registry must be reachable the first time; run this again" \
			build_tools "${stale[@]}"
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
	ensure_tools "kmsgpipectl, the fuzzer, the benchmark and a test" "${TOOLS[@]}"
	ensure_selftests
	ensure_rsyslog
}

# build_bare KERNEL: what the demo shows.
build_bare() {
	local CARGO_BY='' CARGO=${CARGO:-} RUSTC=${RUSTC:-}
	ensure_module "$1"
	[[ $1 != debian* || ! $FOREIGN ]] || CARGO_BY=with_compilers CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc
	ensure_tools kmsgpipectl kmsgpipectl
}
