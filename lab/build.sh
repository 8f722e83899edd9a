# shellcheck shell=bash
# Builds this project for a kernel of the lab, into build/. Sourced by lab/prepare.

# fresh FILE SOURCE...: whether FILE is newer than all of the sources.
fresh() {
	local file=$1
	shift
	[[ -e $file && -z $(find "$@" -newer "$file" -print -quit) ]]
}

# build_module KERNEL
build_module() {
	kbuild "O=$KERNEL_DIR" "M=$ROOT" "MO=$BUILD/$1" KBUILD_MODPOST_WARN= modules
}

# ensure_module KERNEL: build/KERNEL/kmsgpipe.ko.
ensure_module() {
	local dir=$BUILD/$1
	# Another kernel, or another compiler: everything anew.
	if [[ $(cat "$dir/.kernel" 2>/dev/null) != "$KERNEL_DIR" ]]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		echo "$KERNEL_DIR" >"$dir/.kernel"
	fi
	fresh "$dir/kmsgpipe.ko" "$ROOT/kmsgpipe.rs" "$ROOT/Kbuild" "$ROOT/src" "$ROOT/include" && return
	step "module-$1" "building the module for the $1 kernel" "15 s" \
		"mend what the compiler says" build_module "$1"
}

# The triple is named so that the static C library is not asked of macros and build scripts.
TARGET=x86_64-unknown-linux-gnu

# cargo_tools ARGUMENT...: cargo on the user space tools.
cargo_tools() {
	(cd "$ROOT/tools" && "$CARGO" "$@")
}

# build_tool
build_tool() {
	cargo_tools build --release --locked --target "$TARGET" --bin kmsgpipectl
	install -D -m 755 "$ROOT/tools/target/$TARGET/release/kmsgpipectl" "$BUILD/bin/kmsgpipectl"
}

# ensure_tool: build/bin/kmsgpipectl, static.
ensure_tool() {
	fresh "$BUILD/bin/kmsgpipectl" "$ROOT"/tools/{Cargo.toml,Cargo.lock,.cargo,kmsgpipectl,kmsgpipe-sys} "$ROOT/include" \
		"$ROOT/src/uapi" && return
	step tool "building kmsgpipectl" "1 min" "the crate registry must be reachable the first time; run this again" \
		strict build_tool
}

# ensure_selftests: build/selftests.
ensure_selftests() {
	fresh "$BUILD/selftests/.built" "$ROOT/selftests" "$ROOT/include" && return
	step selftests "building the selftests" "15 s" "mend what the compiler says" \
		make -C "$ROOT/selftests" "OUTPUT=$BUILD/selftests" "KSRC=$LINUX" "CLANG=clang-$LLVM_N"
	touch "$BUILD/selftests/.built"
}

# build_all KERNEL
build_all() {
	ensure_module "$1"
	ensure_tool
	ensure_selftests
}
