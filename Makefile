# SPDX-License-Identifier: GPL-2.0
#
# `make help` lists the targets. Kbuild describes the build of the module itself.

# The build tree of the kernel, for `make` and `make modules_install`: by default that of the running kernel. If its
# headers lack the metadata of Rust, it is the tree that `make kernel-metadata` has made.
KDIR ?= $(shell lab/kernel-metadata --where)
PREFIX ?= /usr/local
DESTDIR ?=

# A kernel that was built with clang needs modules that are built with clang.
KBUILD_FLAGS = $(shell RUSTC='$(RUSTC)' BINDGEN='$(BINDGEN)' lab/check-kdir --flags $(KDIR))

.PHONY: modules modules_install demo test soak bench vm lint intree next mutants platforms kernel-metadata deb tools install uninstall clean distclean help check-kdir
.DEFAULT_GOAL := modules

help:
	@echo 'In a virtual machine, on any Debian 12 or 13, with nothing prepared:'
	@echo '  make demo             build a small Linux with the module, boot it, show what it does'
	@echo '  make test             build what is needed and run all tests'
	@echo '  make soak             run the stress tests at length, mostly on the debug kernel (SCALE=0.1: a tenth of that)'
	@echo '  make bench            measure the cost of a message, and compare it with pipes, sockets and other queues'
	@echo '                        (BEFORE=FILE: compare with that bench.json; PICTURES=docs/pictures: draw there)'
	@echo '  make vm               a shell in the virtual machine (KERNEL=debug: with KASAN and lockdep)'
	@echo '  make lint             formatting, lints and header checks only'
	@echo '  make intree           build the module in the kernel tree, as a module and built in, and run the selftests'
	@echo '  make next             build the module for Linux 7.3, and run the selftests there'
	@echo '  make mutants          put defects into the module on purpose, one at a time: a test must notice each'
	@echo
	@echo '  make platforms        run the demo and all tests on Debian 12, 13 and testing, each from nothing, in chroots'
	@echo '                        (PLATFORM=trixie: only there; ONLY=demo, test or deb: only that; as root; about 1 h each)'
	@echo
	@echo 'On this machine, if its kernel is 7.2 or later and has Rust:'
	@echo '  make                  build kmsgpipe.ko for it (KDIR=/path/to/kernel/build: for another kernel)'
	@echo '  make kernel-metadata  make the metadata that the header packages of Debian'\''s kernels lack (2 to 4 min, 300 MB)'
	@echo '  make modules_install  install the module'
	@echo '  make deb              build Debian packages of the module for dkms, kmsgpipectl and the header (docs/packages.md)'
	@echo '  make tools            build kmsgpipectl'
	@echo '  make install          install kmsgpipectl, manual pages, completions, udev rule and header'
	@echo '                        (DESTDIR=, PREFIX=/usr/local)'
	@echo '  make uninstall        remove what make install has installed (with the same DESTDIR and PREFIX)'
	@echo
	@echo '  make clean            remove everything that was built here'
	@echo '  make distclean        remove that and the cache: kernels, their source, crates'

check-kdir:
	@RUSTC='$(RUSTC)' BINDGEN='$(BINDGEN)' lab/check-kdir $(KDIR)

modules: check-kdir
	+$(MAKE) -C $(KDIR) $(KBUILD_FLAGS) M=$(CURDIR) modules

modules_install:
	@[ -e kmsgpipe.ko ] || { echo '*** there is no kmsgpipe.ko to install: run make first' >&2; exit 1; }
	+$(MAKE) -C $(KDIR) $(KBUILD_FLAGS) M=$(CURDIR) modules_install

demo:
	@lab/demo

test:
	@lab/test

soak:
	@SCALE='$(SCALE)' lab/soak

bench:
	@BEFORE='$(BEFORE)' PICTURES='$(PICTURES)' lab/bench

lint:
	@lab/lint

intree:
	@lab/intree

next:
	@lab/next

# The defects in the kernel's part, then those in the part that the host tests.
mutants:
	@status=0; lab/mutate || status=1; lab/mutants-host || status=1; exit $$status

KERNEL ?= plain
vm:
	@lab/run --kernel $(KERNEL) --tty lab/guest/shell || [ $$? -lt 120 ]

platforms:
	@PLATFORM='$(PLATFORM)' ONLY='$(ONLY)' lab/platforms

deb:
	@lab/deb

kernel-metadata:
	@lab/kernel-metadata

tools:
	@lab/install --build

install:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' lab/install

uninstall:
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' lab/install --remove

clean:
	rm -rf build tools/target .tmp_* .*.cmd *.o *.ko *.mod *.mod.c Module.symvers modules.order \
		uapi_generated.rs layout_generated.rs
	find src -name "*.s" -delete -o -name ".*.cmd" -delete

distclean: clean
	@lab/distclean
