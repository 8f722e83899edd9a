# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Paths, messages, steps and locks for all scripts of the lab. Sourced.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
BUILD=$ROOT/build
LOGS=$BUILD/log
CACHE=${KMSGPIPE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kmsgpipe}
export ROOT BUILD LOGS CACHE

mkdir -p "$LOGS" "$CACHE" || exit 1

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' red=$'\e[31m' plain=$'\e[0m' line=$'\r\e[K'
else
	bold='' red='' plain='' line=''
fi

# say TEXT: prints a message.
say() { printf '%s\n' "$bold==>$plain $*" >&2; }

# die TEXT [REMEDY]: prints an error and its remedy, and exits.
die() {
	printf '%s\n' "$red*** $1$plain" >&2
	[[ -z ${2:-} ]] || printf '    %s\n' "$2" >&2
	exit 1
}

[[ $ROOT$CACHE =~ ^[A-Za-z0-9_./+@~-]*$ ]] ||
	die "these paths have characters that make and QEMU do not accept: $ROOT, $CACHE" "Move the checkout, or set KMSGPIPE_CACHE."

# duration SECONDS: prints it in minutes and seconds.
duration() {
	if (($1 < 60)); then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

# ask_for_root WHY: makes sure that as_root works. Asks for the password here, in the foreground, if sudo needs one.
ask_for_root() {
	((EUID != 0)) || return 0
	command -v sudo >/dev/null || die "$1 needs root, and there is no sudo" "Run this as root once, or install the packages by hand."
	sudo -v || die "$1 needs root" "Run this as a user that may use sudo."
}

# as_root COMMAND...: runs a command as root, after ask_for_root.
as_root() {
	if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# end_of_group PID: ends the processes of a step after an interrupt, and exits.
end_of_group() {
	kill -TERM -- "-$1" 2>/dev/null || true
	printf '%s\n' "${line}Interrupted; the next run starts this step again." >&2
	exit 130
}

# in_sight LOG COMMAND...: runs a command with its output in a log, and shows the time that it has taken and the last
# line of the log. Returns its exit status. An interrupt ends the command.
in_sight() {
	local log=$1 pid start=$SECONDS now last shown=0
	shift
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064 # the process of this step
	trap "end_of_group $pid" INT TERM HUP
	while kill -0 "$pid" 2>/dev/null; do
		sleep 0.5
		now=$((SECONDS - start))
		if [[ -n $line ]]; then
			last=$(tail -n 1 "$log" | tr -cd '[:print:]' | cut -c 1-60)
			printf '%s    %s  %s' "$line" "$(duration "$now")" "$last" >&2
		elif ((now >= shown + 30)); then
			shown=$now
			last=$(tail -n 1 "$log" | tr -cd '[:print:]' | cut -c 1-60)
			printf '    %s: %s\n' "$(duration "$now")" "$last" >&2
		fi
	done
	trap - INT TERM HUP
	printf '%s' "$line" >&2
	wait "$pid"
}

# step NAME "WHAT AND WHY" "ABOUT HOW LONG" "REMEDY" COMMAND...: runs a long step with in_sight. If it fails, prints the
# end of its log, and exits.
step() {
	local what=$2 remedy=$4 log=$LOGS/$1.log start=$SECONDS status
	say "$what (about $3)"
	shift 4
	# Not as a condition: bash would then not stop at the first failure in the step.
	set +e
	in_sight "$log" "$@"
	status=$?
	set -e
	if ((status != 0)); then
		printf '%s\n' "$red*** failed: $what$plain" "    the end of $log:" >&2
		tail -n 25 "$log" | sed 's/^/    | /' >&2
		printf '    what to do: %s\n' "$remedy" >&2
		exit 1
	fi
	((SECONDS - start < 2)) || printf '    done in %s\n' "$(duration $((SECONDS - start)))" >&2
}

# locked FILE COMMAND...: runs a command, in a subshell, while it holds the lock FILE. Prints a message if it must wait.
locked() {
	local lock=$1
	shift
	(
		exec 9>"$lock"
		if ! flock -n 9; then
			[[ ${LAB_QUIET:-} ]] || say "another run holds the lock $lock; waiting for it"
			flock 9
		fi
		"$@"
	)
}

# alone SCRIPT: takes the lock of the scripts that count checks: one of them runs at a time, with those that it starts.
alone() {
	[[ -z ${LAB_ALONE:-} ]] || return 0
	exec 8>"$BUILD/alone.lock"
	if ! flock -n 8; then
		say "another $1 runs in this checkout; waiting for it"
		flock 8
	fi
	export LAB_ALONE=1
}

# strict COMMAND...: runs a function in a subshell that stops at the first failing command. Refuses to run below a
# condition (if, &&, ||, !) of any caller: bash does not stop there, so that a failure would be lost.
strict() (
	set +e
	goes_on=$(
		set -e
		false
		echo yes
	)
	set -euo pipefail
	[[ ! $goes_on ]] || die "'$*' runs below a condition, where bash does not stop at a failure" "Keep its exit status, as ran does."
	"$@"
)
