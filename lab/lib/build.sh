# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds this project for a kernel of the lab, into build/. Sourced by lab/prepare.

# The files that the kernel's build reads.
SOURCES=(Kbuild Kconfig kmsgpipe.rs src include)

# fresh FILE SOURCE...: whether FILE is newer than all of the sources.
fresh() {
	local file=$1
	shift
	[[ -e $file && -z $(find "$@" -newer "$file" -print -quit) ]]
}

# anew FILE COMMAND...: runs a build whose stamp is FILE. FILE exists afterwards only if the build succeeded, so that an
# interrupted build is repeated. Its time is that of the start, so that an edit during the build is noticed.
anew() {
	local file=$1
	shift
	mkdir -p "${file%/*}"
	rm -f "$file"
	touch "$file.started"
	"$@"
	# Not as a condition, for the reason that strict gives.
	# shellcheck disable=SC2181
	(($? == 0)) || return 1
	mv "$file.started" "$file"
}

# build_module KERNEL: builds the module into build/KERNEL.
build_module() {
	local dir=$BUILD/$1
	rm -rf "$dir" && mkdir -p "$dir" || return 1
	if [[ $1 == debian* ]]; then
		with_compilers make modules "KDIR=$KERNEL_DIR/metadata/build" "MO=$dir" || return 1
	else
		kbuild "O=$KERNEL_DIR" "M=$ROOT" "MO=$dir" modules || return 1
	fi
	# The kernel, and so the compiler, that the module was built for.
	echo "$KERNEL_DIR" >"$dir/.kernel"
}

# ensure_module KERNEL: builds build/KERNEL/kmsgpipe.ko if it is missing or old.
ensure_module() {
	[[ $(cat "$BUILD/$1/.kernel" 2>/dev/null) == "$KERNEL_DIR" ]] &&
		fresh "$BUILD/stamp/module-$1" "${SOURCES[@]/#/$ROOT/}" && return
	if [[ $1 == intree ]]; then
		step intree "building the module in the kernel's tree, as a module and built in" "2 min" \
			"correct the errors that the compiler reports" anew "$BUILD/stamp/module-intree" strict build_intree
		return
	fi
	step "module-$1" "building the module for the $1 kernel" "15 s" \
		"correct the errors that the compiler reports" anew "$BUILD/stamp/module-$1" build_module "$1"
}

# The Rust programs for the virtual machine.
TOOLS=(kmsgpipectl kmsgpipe-fuzz kmsgpipe-bench kmsgpipe-tokio)

# cargo_tools ARGUMENT...: runs cargo on the user space tools, by the command CARGO_BY if that is set.
cargo_tools() {
	(cd "$ROOT/tools" && ${CARGO_BY:-} "$CARGO" "$@")
}

# build_tools TOOL...: builds programs for this machine into build/bin. They are static if there is a static C library.
# Naming the target keeps cargo from linking macros and build scripts statically, which is impossible.
build_tools() {
	local tool target flags='' started=$BUILD/stamp/tools.started
	mkdir -p "$BUILD/stamp"
	rm -f "${@/#/$BUILD/stamp/tool-}"
	# The stamps get the time of the start, so that an edit during the build is noticed.
	touch "$started"
	# The target of the compiler that cargo uses.
	target=$(${CARGO_BY:-} "${RUSTC:-rustc}" -vV | sed -n 's/^host: //p')
	[[ $target ]] || return 1
	if [[ $target != *-gnu* ]] || [[ $(${CARGO_BY:-} gcc -print-file-name=libc.a) == /* ]]; then
		flags='-C target-feature=+crt-static'
	else
		echo "this machine has no static C library (libc.a): the programs are linked with its shared one"
	fi
	cargo_tools build --release --locked --target "$target" --config "target.$target.rustflags=\"$flags\"" \
		"${@/#/--bin=}" || return 1
	for tool in "$@"; do
		install -D -m 755 "$ROOT/tools/target/$target/release/$tool" "$BUILD/bin/$tool" || return 1
		touch -r "$started" "$BUILD/stamp/tool-$tool"
	done
}

# tool_is_fresh TOOL: whether a program is newer than its sources.
tool_is_fresh() {
	[[ -e $BUILD/bin/$1 ]] && fresh "$BUILD/stamp/tool-$1" "$ROOT"/tools/{Cargo.toml,Cargo.lock,kmsgpipe,kmsgpipe-sys,kmsgpipectl} \
		"$ROOT/tools/$1" "$ROOT/include" "$ROOT/src/uapi"
}

# ensure_tools WHAT TOOL...: builds those programs that are missing or old into build/bin.
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

# build_selftests: builds all selftests into build/selftests.
build_selftests() {
	rm -rf "$BUILD/selftests" || return 1
	make -C "$ROOT/selftests" "OUTPUT=$BUILD/selftests" "KSRC=$LINUX" "CLANG=clang-$LLVM_N"
}

# ensure_selftests: builds the selftests if one of their sources has changed.
ensure_selftests() {
	fresh "$BUILD/stamp/selftests" "$ROOT/selftests" "$ROOT/include" "$ROOT/docs/"{coming-from,tutorial}.md && return
	step selftests "building the selftests" "15 s" "correct the errors that the compiler reports" \
		anew "$BUILD/stamp/selftests" build_selftests
}

# build_all KERNEL: builds everything that the lab runs on that kernel.
build_all() {
	ensure_module "$1"
	ensure_tools "kmsgpipectl, the fuzzer, the benchmark and a test" "${TOOLS[@]}"
	ensure_selftests
	ensure_rsyslog
}

# build_bare KERNEL: builds the module and kmsgpipectl only.
build_bare() {
	local CARGO_BY='' CARGO=${CARGO:-} RUSTC=${RUSTC:-}
	ensure_module "$1"
	[[ $1 != debian* || ! $FOREIGN ]] || CARGO_BY=with_compilers CARGO=/usr/bin/cargo RUSTC=/usr/bin/rustc
	ensure_tools kmsgpipectl kmsgpipectl
}
