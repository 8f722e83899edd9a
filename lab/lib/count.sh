# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Counting checks on the host. Sourced by what counts.

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

# in_pairs WORK COUNT NAME...: does WORK NAME in the background for each, two at a time, and COUNT NAME when
# that has ended.
in_pairs() {
	local work=$1 count=$2 name ended
	shift 2
	declare -gA running=()
	trap 'kill "${!running[@]}" 2>/dev/null || true' EXIT
	for name in "$@" ''; do
		# After the last, none.
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

# suite NAME PLANNED LOG STATUS: counts the last line "N passed, N failed" of a log. What was planned
# and did not run has failed; and if the run itself failed (the kernel printed a splat, say), then at
# least one check has, whatever that line says.
suite() {
	local name=$1 planned=$2 log=$3 status=$4 ok=0 not_ok=1
	read -r ok _ not_ok _ < <(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || true
	ok=${ok:-0} not_ok=${not_ok:-1}
	((status == 0 || not_ok > 0)) || not_ok=1
	if ((not_ok == 0 && ok >= planned)); then
		good "$name" "$ok"
	else
		passed=$((passed + ok))
		((ok + not_ok >= planned)) || not_ok=$((planned - ok))
		grep -E '^ *(not ok|\*\*\*|# ( *got|expected|[a-z_]+\.c:[0-9]+:.*Expected))' "$log" | sed 's/^/    | /' || true
		bad "$name" "$not_ok" "$log"
	fi
}

# ran LOG COMMAND...: runs a command in sight, and keeps its exit status in $status.
ran() {
	# Not as a condition: see strict.
	set +e
	in_sight "$@"
	status=$?
	set -e
}

# table: the table of selftests/run, but for those that need injected faults, which begin with a tab there.
table() { awk -F'|' 'NF == 4 && /^[a-z]/ && $2 + 0' selftests/run; }

# faults: those.
faults() { awk -F'|' 'NF == 4 && /^\t[a-z]/ && $2 + 0' selftests/run; }

# names: the names in what is read.
names() { awk -F'|' '{ gsub(/[ \t]/, "", $1); print $1 }'; }

# others NAME...: the names that run on every kernel and are not among these.
others() { table | names | awk -v given=" $* " '!index(given, " " $0 " ")' | xargs; }

# planned all|NAME...: the checks that it plans: for all that run on every kernel, or for these.
planned() {
	if [[ $* == all ]]; then table; else table && faults; fi |
		awk -F'|' -v only=" $* " '{ gsub(/[ \t]/, "", $1) }
			only == " all " || index(only, " " $1 " ") { n += $2 } END { print n }'
}

# planned_but_one SKIPPING all|NAME...: the same, less the one check that SKIPPING skips if it is among them.
planned_but_one() {
	local skipping=$1 planned
	shift
	planned=$(planned "$@")
	[[ " $* " != *" all "* && " $* " != *" $skipping "* ]] || planned=$((planned - 1))
	echo "$planned"
}

# planned_on_plain all|NAME...: the checks on the plain kernel. It has no time namespaces, so dump skips its test of them.
planned_on_plain() { planned_but_one dump "$@"; }

# planned_on_debug NAME...: the checks on the debug kernel, the scan for leaks included. KASAN and lockdep enlarge an idle
# pipe, so memcg skips its test of that size.
planned_on_debug() { echo $(($(planned_but_one memcg "$@") + 1)); }

# kunit_tests NAME LOG STATUS: counts the module's KUnit tests; as many as the source has must have run.
kunit_tests() {
	local ok not_ok
	ok=$(grep -cE '^(\[[^]]*\] )?    ok [0-9]+ ' "$2" || true)
	not_ok=$(grep -cE '^(\[[^]]*\] )? *not ok [0-9]+ ' "$2" || true)
	echo "$ok passed, $not_ok failed" >>"$2"
	suite "$1" "$(grep -c '#\[test\]' -r src --include='*.rs' -h | awk '{n += $1} END {print n}')" "$2" "$3"
}

# tally: the last line.
tally() {
	echo "$passed passed, $failed failed"
	((failed == 0 && passed > 0))
}
