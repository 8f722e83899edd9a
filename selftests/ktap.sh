# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# KTAP from shell scripts. Sourced. A script ends with finish, which prints its plan: a script that ends earlier has no
# plan, and so has failed.

ktap_count=0 ktap_failed=0
echo 'TAP version 13'

# is NAME EXPECTED ACTUAL: passes if the two are the same.
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

# skip NAME WHY: a check that this machine or kernel cannot make.
skip() {
	ktap_count=$((ktap_count + 1))
	echo "ok $ktap_count $1 # SKIP $2"
}

# like NAME PATTERN ACTUAL: passes if the pattern, as of [[ ]], matches.
like() {
	# shellcheck disable=SC2053 # a pattern
	if [[ $3 == $2 ]]; then is "$1" "$3" "$3"; else is "$1" "$2" "$3"; fi
}

# finish: prints the plan and ends the script.
finish() {
	echo "1..$ktap_count"
	exit $((ktap_failed > 0))
}
