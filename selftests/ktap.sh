# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# KTAP from shell scripts. Sourced.

ktap_count=0 ktap_failed=0

# plan N: the number of checks to come.
plan() { printf 'TAP version 13\n1..%s\n' "$1"; }

# is NAME EXPECTED ACTUAL: the two must be the same.
is() {
	ktap_count=$((ktap_count + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $ktap_count $1"
	else
		ktap_failed=$((ktap_failed + 1))
		echo "not ok $ktap_count $1"
		printf '%s\n' "expected: $2" "     got: $3" | sed 's/^/# /'
	fi
}

# skip NAME WHY: a check that cannot be made here.
skip() {
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1 # SKIP $2"
}

# like NAME PATTERN ACTUAL: the pattern, as of [[ ]], must match.
like() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $3 == $2 ]]; then is "$1" "$3" "$3"; else is "$1" "$2" "$3"; fi
}

# finish: the exit status of the script.
finish() { exit $((ktap_failed > 0)); }
