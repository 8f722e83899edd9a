# shellcheck shell=bash
# Counting checks on the host. Sourced by lab/test and lab/lint.

passed=0 failed=0

# good NAME [N]: N checks passed.
good() {
	passed=$((passed + ${2:-1}))
	printf 'ok %s%s\n' "$1" "${2:+ ($2 checks)}"
}

# bad NAME N LOG: N checks failed; the end of the log tells why.
bad() {
	failed=$((failed + $2))
	printf 'not ok %s\n' "$1"
	tail -n 40 "$3" | sed 's/^/    | /'
	printf '    the whole log is %s\n' "$3"
}

# check NAME COMMAND...: one check, which passes if the command succeeds.
check() {
	local name=$1 log
	log=$LOGS/check-${name//[^a-zA-Z0-9]/-}.log
	shift
	if "$@" >"$log" 2>&1; then good "$name"; else bad "$name" 1 "$log"; fi
}

# expect NAME EXPECTED COMMAND...: one check of a command's output and exit status, "STATUS:OUTPUT".
expect() {
	local name=$1 expected=$2 got status log
	log=$LOGS/check-${name//[^a-zA-Z0-9]/-}.log
	shift 2
	got=$("$@" 2>&1) && status=0 || status=$?
	# shellcheck disable=SC2053 # a pattern
	if [[ "$status:$got" == $expected ]]; then
		good "$name"
	else
		printf 'expected %s\ngot %s\n' "$expected" "$status:$got" >"$log"
		bad "$name" 1 "$log"
	fi
}

# tally: the last line.
tally() {
	echo "$passed passed, $failed failed"
	((failed == 0 && passed > 0))
}
