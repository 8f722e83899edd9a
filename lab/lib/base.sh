# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the lab's scripts share: places, messages, steps and locks. Sourced.

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

# say TEXT: tells the user something.
say() { printf '%s\n' "$bold==>$plain $*" >&2; }

# die TEXT [REMEDY]: gives up.
die() {
	printf '%s\n' "$red*** $1$plain" >&2
	[[ -z ${2:-} ]] || printf '    %s\n' "$2" >&2
	exit 1
}

[[ $ROOT$CACHE =~ ^[A-Za-z0-9_./+@~-]*$ ]] ||
	die "make and QEMU take no such characters in paths: $ROOT, $CACHE" "Move the checkout, or set KMSGPIPE_CACHE."

# duration SECONDS: as a person reads it.
duration() {
	if (($1 < 60)); then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi
}

# ask_for_root WHY: asks for a password here, in the foreground, if there is one to be asked for.
ask_for_root() {
	((EUID != 0)) || return 0
	command -v sudo >/dev/null || die "$1 needs root, and there is no sudo" "Run this as root once, or install the packages by hand."
	sudo -v || die "$1 needs root" "Run this as a user who may use sudo."
}

# as_root COMMAND...: with the rights to install packages, which were asked for.
as_root() {
	if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# end_of_group PID: ends a step's processes when the run is interrupted.
end_of_group() {
	kill -TERM -- "-$1" 2>/dev/null || true
	printf '%s\n' "${line}Interrupted; the next run takes this step up again." >&2
	exit 130
}

# in_sight LOG COMMAND...: runs a command with its output in a log, and shows a sign of life: how
# long it has taken and the log's last line. Returns its exit status; an interrupt ends it.
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

# step NAME "WHAT AND WHY" "ABOUT HOW LONG" "REMEDY" COMMAND...: one long step, in sight. A failure
# shows the end of its log and ends the run.
step() {
	local what=$2 remedy=$4 log=$LOGS/$1.log start=$SECONDS status
	say "$what (about $3)"
	shift 4
	# Not as a condition: below one, bash would no longer stop at the first failure.
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

# locked FILE COMMAND...: one run at a time; the others wait, and say so. In a subshell.
locked() {
	local lock=$1
	shift
	(
		exec 9>"$lock"
		if ! flock -n 9; then
			[[ ${LAB_QUIET:-} ]] || say "another run is at work here ($lock); waiting for it"
			flock 9
		fi
		"$@"
	)
}

# alone SCRIPT: one run at a time of the scripts that count; those that such a run starts go on.
alone() {
	[[ -z ${LAB_ALONE:-} ]] || return 0
	exec 8>"$BUILD/alone.lock"
	if ! flock -n 8; then
		say "another $1 is at work in this checkout; waiting for it"
		flock 8
	fi
	export LAB_ALONE=1
}

# strict COMMAND...: stops at its first failing command. In a subshell. Below a condition (if, &&, ||, !), however far up,
# bash would not stop, and a failure would be lost: there it refuses.
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
