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

# build_all KERNEL
build_all() {
	ensure_module "$1"
}
