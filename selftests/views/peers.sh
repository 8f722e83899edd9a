#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl peers: the processes that have a pipe open, as text and as JSON, for root and for other users.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
cd "$LAB_WORK" || exit 1
node=/dev/kmsgpipe/peers

# run COMMAND...: prints "STATUS:OUTPUT", where OUTPUT includes standard error.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "$output"
}

# user UID COMMAND...: replaces the process by the command, as that user without privilege.
user() { exec setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"; }

# squeezed COMMAND...: prints what `run` prints, with one space between the columns.
squeezed() { run "$@" | sed -E 's/ +/ /g'; }

# Users without a name.
one=2000000001 two=2000000002

# The open files belong to programs with names of their own, which do nothing but wait. Each opens the pipe in a subshell:
# a descriptor of this shell would be inherited by all.
for name in reader writer worker requester; do
	cp "$(command -v sleep)" $name
done
# holds COMMAND: runs a command line in the background that ends with a program that waits. Its descriptors but the pipe's
# are closed, so that no command substitution waits for it.
holds() {
	eval "exec >/dev/null 2>&1; $1" &
	pid=$!
}
# await_program PID NAME: waits until the process runs the program of this name.
await_program() { until [[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]; do sleep 0.05; done; }
# end PID...: ends processes that were started last.
end() {
	kill "$@"
	wait "$1" 2>/dev/null
}

kmsgpipectl create --name peers --mode 0666 --max-msgs 8 >/dev/null
id=$(kmsgpipectl stats peers | awk '$1 == "id" { print $2 }')
head="COMMAND PID USER FD ACCESS MODE SENT RECEIVED REST LINE ALSO"
is "a pipe that is not open has no peers" "0:${head// /  }" "$(run kmsgpipectl peers peers)"
is "a pipe that is not open has no peers, as JSON" \
	"0:{\"schema\":1,\"pipe\":\"peers\",\"path\":\"$node\",\"id\":$id,\"unread_processes\":0,\"files\":[]}" \
	"$(run kmsgpipectl peers peers --json | sed -E 's/"compared":(true|false),//')"

# A writer of three messages and of the beginning of a line, and a reader of one message and of two bytes of the next.
holds "exec 7>$node && kmsgpipectl ioctl - SET_MODE lines <&7 && printf 'one\ntwo\nthree\nbegun' >&7 && exec ./writer 1h"
writer=$pid
await_program "$writer" writer
holds "exec 5<$node && kmsgpipectl ioctl - SET_MODE eof <&5 && head -c 4 <&5 && head -c 2 <&5 && user $one ./reader 1h"
reader=$pid
await_program "$reader" reader
rows="writer $writer root 7 w lines 3 0 0 5 -
reader $reader $one 5 r eof 0 2 2 0 -"
# A process with a lower number comes first.
((writer < reader)) || rows=$(sed -n '1h;2{p;x;p}' <<<"$rows")
is "peers shows access, mode and counters of each open file" "0:$head
$rows" "$(squeezed kmsgpipectl peers peers)"
is "peers knows the pipe by number, name and path" "3" \
	"$(for pipe in "$id" peers $node; do kmsgpipectl peers "$pipe"; done | grep -c '^writer')"
is "columns are aligned" "ok" "$(kmsgpipectl peers peers | awk '{ print length }' | sort -u | wc -l | sed 's/^1$/ok/')"
is "numbers are omitted in a narrow terminal" "COMMAND PID USER ACCESS MODE ALSO" \
	"$(COLUMNS=48 kmsgpipectl peers peers | head -n 1 | xargs)"
zeros='"received_msgs":0,"received_bytes":0,"rest_bytes":0'
like "peers as JSON has all values" \
	"{\"schema\":1,\"pipe\":\"peers\",\"path\":\"$node\",\"id\":$id,\"compared\":[tf]*e,\"unread_processes\":0,\"files\":\[*{\"access\":\"w\",\"mode\":\"lines\",\"nonblock\":false,\"reads\":\"nothing\",\"next_seq\":null,\"lag_msgs\":null,\"lost_msgs\":null,\"expired_msgs\":null,\"lease_ms\":null,\"leased_msgs\":null,\"sent_msgs\":3,\"sent_bytes\":14,$zeros,\"line_bytes\":5,\"processes\":\[{\"pid\":$writer,\"command\":\"writer\",\"uid\":0,\"user\":\"root\",\"fds\":\[7\]}\]}*\]}" \
	"$(kmsgpipectl --json peers peers)"
like "a user without a name, as JSON" \
	'*{"access":"r","mode":"eof",*"received_msgs":2,"received_bytes":8,"rest_bytes":2,"line_bytes":0,"processes":\[{"pid":'"$reader"',"command":"reader","uid":'$one',"user":null,"fds":\[5\]}\]}*' \
	"$(kmsgpipectl --json peers peers)"
is "the pipe of another number has no peers" "0:$head" "$(squeezed kmsgpipectl peers 0)"

# Files that this tool has itself, and names of the node that others gave.
is "peers does not show itself" "2" "$(kmsgpipectl peers peers <>$node | tail -n +2 | wc -l)"
mknod copy c "$((16#$(stat -c %t $node)))" "$id"
ln -s $node link
holds "exec 6<>copy 4<link && exec ./requester 1h"
requester=$pid
await_program "$requester" requester
is "the name of the node does not matter" "requester $requester root 4 r none 0 0 0 0 -
requester $requester root 6 rw none 0 0 0 0 -" "$(kmsgpipectl peers peers | grep '^requester' | sed -E 's/ +/ /g')"
end "$requester"
# shellcheck disable=SC2016 # perl's variables
holds "exec perl -MFcntl -e 'sysopen(my \$pipe, \"$node\", 3 | O_NONBLOCK) or die; sleep 3600'"
until kmsgpipectl peers peers | grep -q '^perl'; do sleep 0.05; done
like "a file that is open for requests only, and not blocking" '*{"access":"-","mode":"none","nonblock":true,*"command":"perl",*' \
	"$(kmsgpipectl --json peers peers)"
end $pid

# Without privilege: a process of another user is counted, one of the same user is read.
warning='kmsgpipectl: warning: [1-9]* processes of other users could not be read: run as root to see all'
like "another user sees its own processes, and how many others there are" "0:$head?reader $reader $one 5 r eof 0 2 2 0 -?$warning" \
	"$(squeezed user $one kmsgpipectl peers peers)"
like "a user without such a process sees none" "0:$head?$warning" "$(squeezed user $two kmsgpipectl peers peers)"
like "others as JSON, without a warning" '0:{*"unread_processes":[1-9]*,"files":\[{"access":"r",*\]}' \
	"$(run user $one kmsgpipectl peers --json peers)"
# unread FILE: prints how many processes could not be read.
unread() { sed -E 's/.*"unread_processes":([0-9]*).*/\1/' "$1"; }
# Both programs run beside the same processes. The shell makes the list of files before grep is a process.
(user $two kmsgpipectl --json peers peers) >before
grep -L $'Kthread:\t1' /proc/[1-9]*/status >programs
is "kernel threads are not counted, as they have no files" "$(wc -l <programs)" "$(unread before)"
# shellcheck disable=SC2016 # perl's variables
perl -e '$| = 1; my $child = fork // die; exit unless $child; print $child; sleep 3600' >started &
until [[ -s started ]]; do sleep 0.05; done
zombie=$(<started)
until grep -q $'State:\tZ' "/proc/$zombie/status"; do sleep 0.05; done
(user $two kmsgpipectl --json peers peers) >after
is "zombies are not counted either" "$(($(unread before) + 1))" "$(unread after)"
end $!

# A child that inherits a file, and a duplicate. The kernel tells that these are one open file if it has kcmp, call 312 of
# x86-64.
holds "exec 8<>$node 9>&8 && { ./worker 1h & echo \$! >child; exec ./requester 1h; }"
requester=$pid
await_program "$requester" requester
worker=$(<child)
await_program "$worker" worker
shared=$(kmsgpipectl peers peers | grep "^requester\|^worker" | sed -E 's/ +/ /g')
compared=$(kmsgpipectl --json peers peers | sed -E 's/.*"compared":([a-z]*).*/\1/')
if perl -e 'exit(syscall(312, $$ + 0, $$ + 0, 0, 1, 1) != 0)'; then
	is "the files are compared" "true" "$compared"
	is "a duplicate and a child share a row" "requester $requester root 8,9 rw none 0 0 0 0 $worker" "$shared"
else
	is "the files are not compared" "false" "$compared"
	is "a duplicate and a child have rows of their own" "requester $requester root 8 rw none 0 0 0 0 -
requester $requester root 9 rw none 0 0 0 0 -
worker $worker root 8 rw none 0 0 0 0 -
worker $worker root 9 rw none 0 0 0 0 -" "$shared"
fi
end "$requester" "$worker"

# Processes that come and go, and pipes that are destroyed.
for _ in {1..200}; do (: <$node); done &
is "processes that exit meanwhile are no error" "0" "$(for _ in {1..20}; do
	kmsgpipectl peers peers >/dev/null 2>said || echo $?
done; wc -c <said)"
wait $!
kmsgpipectl destroy peers
like "a destroyed pipe has no peers, although files of it are open" "3:*cannot open $node*ENOENT*list*" \
	"$(run kmsgpipectl peers peers)"
like "nor has its number" "3:*cannot open /dev/kmsgpipe$id*ENOENT*" "$(run kmsgpipectl peers "$id")"
like "a pipe that does not exist, as JSON" '3:{"schema":1,"error":{"errno":"ENOENT",*"exit":3}}' \
	"$(run kmsgpipectl --json peers nowhere)"
like "a file that is no pipe" "7:*null*ENOTTY*" "$(run kmsgpipectl peers /dev/null)"
kmsgpipectl create --name peers >/dev/null
is "a new pipe of the same name does not have the files of the old one" "0:$head" "$(squeezed kmsgpipectl peers peers)"
kmsgpipectl destroy peers
end "$writer"
end "$reader"
finish
