# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Downloads and unpacks packages of Debian without installing them, with a private state of apt. Sourced by lab/prepare.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# mirror: prints the Debian mirror in the machine's own apt configuration. apt knows the label of a source only after it
# has read its lists; without lists, the URI of the source must end in /debian.
mirror() {
	local found
	# shellcheck disable=SC2016 # for apt
	found=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's/^Debian //p' | head -n 1)
	# shellcheck disable=SC2016 # for apt
	[[ $found ]] || found=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		grep -E '/debian/?$' | head -n 1)
	[[ ! $found ]] || echo "$found"
}

# private_apt DIR TOOL ARGUMENT...: runs a tool of apt with its state in DIR, so that the machine's own state does not
# change. It accepts signed sources only.
private_apt() {
	local dir=$1 tool=$2
	shift 2
	"$tool" -o "Dir::State=$dir/state" -o "Dir::Cache=$dir/cache" \
		-o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
		-o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none \
		-o Acquire::AllowInsecureRepositories=false \
		-o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

# read_suites DIR MIRROR SUITE...: makes DIR a state of apt that knows the packages of these suites.
read_suites() {
	local dir=$1 from=$2 suite
	shift 2
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	for suite in "$@"; do
		echo "deb [signed-by=$KEYRING] $from $suite main"
	done >"$dir/sources.list"
	# One suite that verifies is enough: the lists of other suites may have expired on a mirror that lags.
	private_apt "$dir" apt-get update || echo "not all of the suites could be read; going on with those that could"
}

# unpack_packages ROOT PACKAGE...: unpacks these packages of the machine's own sources below ROOT, without their
# dependencies. Runs none of their scripts.
unpack_packages() {
	local root=$1 archive
	shift
	rm -rf "$root.partial" && mkdir -p "$root.partial/archives" || return 1
	(cd "$root.partial/archives" && apt-get download "$@") || return 1
	for archive in "$root.partial"/archives/*.deb; do
		dpkg-deb -x "$archive" "$root.partial" || return 1
	done
	rm -r "$root.partial/archives"
	mv "$root.partial" "$root"
}

# unpack_with_dependencies DIR ROOT PACKAGE...: unpacks the packages and all their dependencies below ROOT, as if no
# package was installed. Runs none of their scripts.
unpack_with_dependencies() {
	local dir=$1 root=$2 archive
	shift 2
	: >"$dir/nothing"
	rm -f "$dir"/cache/archives/*.deb
	private_apt "$dir" apt-get -o "Dir::State::status=$dir/nothing" install --download-only -y --no-install-recommends "$@" ||
		return 1
	# base-files first: it has the directories that other packages need.
	for archive in "$dir"/cache/archives/{base-files_*,*}.deb; do
		dpkg-deb -x "$archive" "$root" || return 1
	done
	rm -f "$dir"/cache/archives/*.deb
}
