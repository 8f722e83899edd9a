# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Counts checks on the host. Sourced.

passed=0 failed=0

# good NAME [N]: N checks passed.
good() {
	passed=$((passed + ${2:-1}))
	printf 'ok %s%s\n' "$1" "${2:+ ($2 checks)}"
}

# bad NAME N LOG: N checks failed. Prints the end of the log.
bad() {
	failed=$((failed + $2))
	printf 'not ok %s\n' "$1"
	tail -n 40 "$3" | sed 's/^/    | /'
	printf '    the whole log is %s\n' "$3"
}

# check NAME COMMAND...: a check, which passes if the command succeeds.
check() {
	local name=$1 log
	log=$LOGS/check-${name//[^a-zA-Z0-9]/-}.log
	shift
	if "$@" >"$log" 2>&1; then good "$name"; else bad "$name" 1 "$log"; fi
}

# expect NAME EXPECTED COMMAND...: a check of a command's exit status and output, as the pattern "STATUS:OUTPUT".
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

# in_pairs WORK COUNT NAME...: runs WORK NAME in the background for each NAME, two at a time, and COUNT NAME when that
# has ended.
in_pairs() {
	local work=$1 count=$2 name ended
	shift 2
	declare -gA running=()
	trap 'kill "${!running[@]}" 2>/dev/null || true' EXIT
	for name in "$@" ''; do
		# The empty name after the last one waits for all.
		while ((${#running[@]} >= (${#name} ? 2 : 1))); do
			wait -n -p ended "${!running[@]}" || true
			"$count" "${running[$ended]}"
			unset "running[$ended]"
		done
		[[ $name ]] || break
		"$work" "$name" &
		running[$!]=$name
	done
	trap - EXIT
}

# suite NAME PLANNED LOG STATUS: counts the last line "N passed, N failed" of a log. A planned check without a result has
# failed, and so has a suite without a plan. If the run itself failed, because the kernel printed a splat for example, at
# least one check has failed, whatever that line says.
suite() {
	local name=$1 planned=$2 log=$3 status=$4 ok=0 not_ok=1
	read -r ok _ not_ok _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || true
	ok=${ok:-0} not_ok=${not_ok:-1}
	((status == 0 && planned > 0 || not_ok > 0)) || not_ok=1
	if ((not_ok == 0 && ok >= planned)); then
		good "$name" "$ok"
	else
		passed=$((passed + ok))
		((ok + not_ok >= planned)) || not_ok=$((planned - ok))
		grep -E '^ *(not ok|\*\*\*|this kernel must not skip|# ( *got|expected|[a-z_]+\.c:[0-9]+:.*Expected))' "$log" | sed 's/^/    | /' || true
		bad "$name" "$not_ok" "$log"
	fi
}

# ran LOG COMMAND...: runs a command with its output in a log, shows its progress, and sets $status to its exit status.
ran() {
	# Not as a condition, for the reason that strict gives.
	set +e
	in_sight "$@"
	status=$?
	set -e
}

# programs KERNEL: the selftests that must run on that kernel.
programs() { LAB_KERNEL=$1 "$ROOT/selftests/run" --list | awk '{ print $1 }'; }

# faults: the selftests that need fault injection, which only the debug kernel has.
faults() { comm -23 <(programs debug | sort) <(programs plain | sort); }

# others NAME...: the selftests of every kernel that are not among these.
others() { programs plain | awk -v given=" $* " '!index(given, " " $0 " ")' | xargs; }

# selftest_results NAME LOG STATUS PROGRAM...: counts what selftests/run reports, against the plan that it reports: the
# sum of the plans of all programs. Each PROGRAM must be among those that ran.
selftest_results() {
	local name=$1 log=$2 status=$3 program ok not_ok planned skipped missing=0
	shift 3
	read -r ok _ not_ok _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || true
	for program in "$@"; do
		grep -qE "^(not )?ok ${program//./\\.}[ :]" "$log" || {
			missing=$((missing + 1))
			echo "not ok $program: it did not run" >>"$log"
		}
	done
	((missing == 0)) || echo "${ok:-0} passed, $((${not_ok:-0} + missing)) failed" >>"$log"
	read -r planned skipped < <(sed -nE 's/^[0-9]+ programs, ([0-9]+) checks planned, ([0-9]+) skipped$/\1 \2/p' "$log" | tail -n 1) || true
	suite "$name" "$((${planned:-0} - ${skipped:-0}))" "$log" "$status"
}

# checks_in SCRIPT: the number of checks that a script of the lab makes, each at the start of a line.
checks_in() { grep -cE '^(check|expect) ' "$1"; }

# cargo_tests NAME LOG STATUS: counts what cargo's test runner reports. Each test program prints its plan before it starts.
cargo_tests() {
	local ok not_ok
	ok=$(sed -nE 's/^test result: .* ([0-9]+) passed;.*/\1/p' "$2" | awk '{n += $1} END {print n + 0}')
	not_ok=$(sed -nE 's/^test result: .* ([0-9]+) failed;.*/\1/p' "$2" | awk '{n += $1} END {print n + 0}')
	echo "$ok passed, $not_ok failed" >>"$2"
	suite "$1" "$(sed -nE 's/^running ([0-9]+) tests?$/\1/p' "$2" | awk '{n += $1} END {print n + 0}')" "$2" "$3"
}

# kunit_tests NAME LOG STATUS: counts the module's KUnit tests. All tests in the source must have run.
kunit_tests() {
	local ok not_ok
	ok=$(grep -cE '^(\[[^]]*\] )?    ok [0-9]+ ' "$2" || true)
	not_ok=$(grep -cE '^(\[[^]]*\] )? *not ok [0-9]+ ' "$2" || true)
	echo "$ok passed, $not_ok failed" >>"$2"
	suite "$1" "$(grep -c '#\[test\]' -r src --include='*.rs' -h | awk '{n += $1} END {print n}')" "$2" "$3"
}

# tally: prints the last line, with the totals.
tally() {
	echo "$passed passed, $failed failed"
	((failed == 0 && passed > 0))
}
