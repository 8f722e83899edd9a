#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl chat without a terminal: lines from standard input to standard output.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
cd "$LAB_WORK" || exit 1

# run COMMAND...: prints "STATUS:OUTPUT", where OUTPUT includes standard error.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "$output"
}

# chat ARGUMENT...: talks in the room, and prints what `run` prints, without the times.
chat() { run kmsgpipectl chat "$@" room | sed -E 's/(^|:)[0-9]{2}:[0-9]{2}:[0-9]{2} /\1/'; }

kmsgpipectl create --name room --kind broadcast --history 8 --mode 0666 --msg-size 64 >/dev/null
is "each line is sent and shown" "0:* root joined
root: one
root: two words
* root left" "$(printf 'one\n\ntwo words' | chat)"
is "the history comes first" "0:* root joined
root: one
root: two words
* root left
* root (al) joined
root (al): three
* root (al) left" "$(echo three | chat --nick al)"
kmsgpipectl clear room
is "--quiet tells nobody" "0:root: psst" "$(echo psst | chat --quiet)"
echo '* mallory joined' >/dev/kmsgpipe/room
is "nobody joins for another user" "root: * mallory joined" "$(chat --quiet </dev/null | tail -n 1)"
long=$(printf '%80s' '' | tr ' ' x)
like "a line that is too long is skipped, and is a failure at the end" "1:*line 1 was not sent*81 bytes*at most 64*lines were too long*" \
	"$(printf '%s\nshort\n' "$long" | chat --quiet 2>&1)"
is "the lines behind it are sent" "root: short" "$(chat --quiet </dev/null | tail -n 1)"
like "a name that is no nickname is a usage error" "2:*--nick*1 to 20 letters*" "$(run kmsgpipectl chat --nick 'a b' room)"
like "--json writes records" '{"schema":1,"seq":*,"uid":0,*"data":"hi\\n"}' "$(echo hi | kmsgpipectl chat --quiet --json room | tail -n 1)"
like "a queue is refused, and the error says what to create" "2:*/dev/kmsgpipe0*is a queue*--kind broadcast*" "$(run kmsgpipectl chat 0)"
like "a missing pipe ends with 3" "3:*nowhere*" "$(run kmsgpipectl chat nowhere)"
like "closed standard input is refused" "1:*standard input*EBADF*" "$(run sh -c 'kmsgpipectl chat room <&-')"

# Another user, in the background, until the pipe is destroyed.
mkfifo keyboard
setpriv --reuid 2000000001 --regid 2000000001 --clear-groups kmsgpipectl chat room <keyboard >seen 2>&1 &
exec 6>keyboard
until grep -qs '\* uid 2000000001 joined' seen; do sleep 0.05; done
echo 'from another' >&6
until kmsgpipectl recv --browse --all room | grep -q '^from another'; do sleep 0.05; done
is "a user without a name has a number" "uid 2000000001: from another" "$(chat --quiet </dev/null | tail -n 1)"
kmsgpipectl destroy room
wait $!
is "the destruction of the pipe ends the chat with 3" "3" "$?"
like "the destruction of the pipe is reported" "*ENODEV*destroyed*" "$(tail -n 1 seen)"
exec 6>&-

kmsgpipectl create --name room --kind broadcast --history 8 >/dev/null
mkfifo output input
kmsgpipectl chat room <input >output &
exec 6>input 7<output
IFS= read -r _ <&7
exec 7<&-
echo hello >&6
wait $!
is "a closed output ends the chat as it ends others" "141" "$?"
is "the others learn that it has left" "* root left" "$(kmsgpipectl recv --browse --all room | tail -n 1)"
kmsgpipectl chat room <input >output &
exec 6>input 7<output
until [[ $(kmsgpipectl recv --browse --all room | tail -n 1) == "* root joined" ]]; do sleep 0.05; done
kill $!
wait $!
is "a signal ends the chat" "143" "$?"
is "a signal leaves" "* root left" "$(kmsgpipectl recv --browse --all room | tail -n 1)"
kmsgpipectl destroy room
finish
