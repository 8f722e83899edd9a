# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds the module inside the kernel's tree, as a module and built in, into build/intree. The source in
# the cache stays as it is: the tree is one of links to it, with a drivers/misc of its own. Sourced by
# lab/prepare.

# link_tree TREE: the source of the kernel, with files of its own in drivers/misc.
link_tree() {
	local dir
	mkdir -p "$1/drivers/misc"
	for dir in . drivers drivers/misc; do
		find "$LINUX/$dir" -mindepth 1 -maxdepth 1 ! -path "$LINUX/./drivers" ! -path "$LINUX/drivers/misc" \
			! -path "$LINUX/drivers/misc/Kconfig" ! -path "$LINUX/drivers/misc/Makefile" \
			-exec ln -s -t "$1/$dir" {} +
	done
	cp -p "$LINUX"/drivers/misc/{Kconfig,Makefile} "$1/drivers/misc"
}

# join_tree TREE: the module into a kernel's tree, as anybody would put it there. The times of the files
# stay, so that only what has changed is compiled.
join_tree() {
	local misc=$1/drivers/misc
	rm -rf "$misc/kmsgpipe"
	mkdir "$misc/kmsgpipe"
	(cd "$ROOT" && cp -rp "${SOURCES[@]}" "$misc/kmsgpipe")
	if ! grep -q kmsgpipe "$misc/Makefile"; then
		# shellcheck disable=SC2016 # for make
		echo 'obj-$(CONFIG_KMSGPIPE)	+= kmsgpipe/' >>"$misc/Makefile"
		sed -i '$s:^endmenu$:source "drivers/misc/kmsgpipe/Kconfig"\n&:' "$misc/Kconfig"
	fi
}

# copy_objects TREE OBJ: the plain kernel's build tree as a start. What make compares to know whether a
# file must be built anew are the commands, which hold the paths of both trees.
copy_objects() {
	cp -a --reflink=auto "$(readlink -f "$KERNEL_DIR")" "$2"
	rm -f "$2/.complete"
	find "$2" -name '*.cmd' -exec sed -i "s|$(readlink -f "$KERNEL_DIR")|$2|g" {} +
	# tools/ finds its source by where it is, and that is behind a link.
	find "$2" -path "$2/tools" -prune -o -name '*.cmd' -exec sed -i "s|$(readlink -f "$LINUX")|$1|g" {} +
}

# build_intree: build/intree/kmsgpipe.ko and the kernel in build/intree/obj, with what make said about
# each beside them.
build_intree() {
	local dir=$BUILD/intree how
	local tree=$dir/linux obj=$dir/obj
	if [[ $(cat "$dir/.kernel" 2>/dev/null) != "$KERNEL_DIR" ]]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		link_tree "$tree"
		copy_objects "$tree" "$obj"
		echo "$KERNEL_DIR" >"$dir/.kernel"
	fi
	join_tree "$tree"
	for how in m y; do
		sed -i '/CONFIG_KMSGPIPE\>/d' "$obj/.config"
		echo "CONFIG_KMSGPIPE=$how" >>"$obj/.config"
		LINUX=$tree kbuild "O=$obj" olddefconfig
		grep -qx "CONFIG_KMSGPIPE=$how" "$obj/.config"
		LINUX=$tree kbuild "O=$obj" -j "$(nproc)" "$([[ $how == m ]] && echo modules || echo bzImage)" 2>&1 | tee "$dir/$how.log"
		[[ $how != m ]] || cp "$obj/drivers/misc/kmsgpipe/kmsgpipe.ko" "$dir"
	done
}
