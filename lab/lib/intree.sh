# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Builds the module inside the kernel's tree, as a module and built in, into build/intree. The source in the cache does
# not change: the tree has links to it, and its own drivers/misc. Sourced by lab/prepare.

# link_tree TREE: makes a tree of links to the kernel's source, with its own files in drivers/misc.
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

# join_tree TREE: adds the module to a kernel's tree. The files keep their times, so that only changed files are
# compiled.
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

# copy_objects TREE OBJ: copies the plain kernel's build tree. make builds a file again if its command has changed, so
# the paths of both trees are replaced in the recorded commands.
copy_objects() {
	cp -a --reflink=auto "$(readlink -f "$KERNEL_DIR")" "$2"
	rm -f "$2/.complete"
	find "$2" -name '*.cmd' -exec sed -i "s|$(readlink -f "$KERNEL_DIR")|$2|g" {} +
	# tools/ resolves the link to its source, so its commands name the source in the cache.
	find "$2" -path "$2/tools" -prune -o -name '*.cmd' -exec sed -i "s|$(readlink -f "$LINUX")|$1|g" {} +
}

# build_intree: builds build/intree/kmsgpipe.ko and the kernel in build/intree/obj. The output of make is in m.log and
# y.log.
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
