#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Pipes and their views from the shell: created and destroyed by echo, read by cat.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
class=/sys/class/kmsgpipe

# said COMMAND: prints "STATUS:OUTPUT" of a command line, where OUTPUT includes standard error.
said() {
	local output status
	output=$(eval "$1" 2>&1)
	status=$?
	printf '%s:%s' "$status" "${output##*: write error: }"
}

# words FILE: prints the words that the table in a file of docs/ABI/testing explains.
words() { awk '/^\t\t=/ { table = !table } /^\t\t[a-z]/ && table { print $1 }' "docs/ABI/testing/$1"; }

# A pipe takes a hundred times as long on the debug kernel.
many=4096
[[ ${SCALE:-1} != [0.]* ]] || many=128

is "echo to the attribute create creates a pipe" "0:" "$(said "echo logs >$class/create")"
id=$(sed -n 's/^pipe\([1-9][0-9]*\):.*/\1/p' /proc/kmsgpipe_stats)
is "the node of a new pipe exists at once, for root only" "crw------- root root" "$(stat -c '%A %U %G' /dev/kmsgpipe/logs)"
is "the new pipe passes a message" "hello" "$(echo hello >/dev/kmsgpipe/logs && head -n 1 /dev/kmsgpipe/logs)"
is "a name in use is refused" "1:File exists" "$(said "echo logs >$class/create")"
is "a bad name is refused" "1:Invalid argument" "$(said "echo 'log s' >$class/create")"
is "an empty name is refused" "1:Invalid argument" "$(said "echo >$class/create")"
# spec: 8-example
is "cat shows all pipes" "pipe0: msgs=0, drops=0, expired=0, writers=0, readers=0
pipe$id: msgs=0, drops=0, expired=0, writers=0, readers=0" "$(cat /proc/kmsgpipe_stats)"
is "cat shows one value per attribute" "/dev/kmsgpipe/logs 256 128 1 6 0" \
	"$(cat "$class/pipe$id"/{node,msg_size,max_msgs,enqueued_msgs,dequeued_bytes,flush_enable} | xargs)"
is "grep shows attributes by name" "$class/pipe$id/depth_bytes:0" "$(grep -H . "$class/pipe$id/depth_bytes")"
is "echo to the attribute destroy destroys a pipe" "0:" "$(said "echo logs >$class/destroy")"
is "node, attributes and directory of a destroyed pipe are gone" "pipe0" "$(cd $class && find . -name 'pipe*' | sed 's:./::' && ls -d /dev/kmsgpipe 2>/dev/null)"
is "destroying a pipe that does not exist fails" "1:No such device" "$(said "echo logs >$class/destroy")"
is "pipe 0 cannot be destroyed" "1:Device or resource busy" "$(said "echo 0 >$class/destroy")"
# spec: 8-seq-file
is "cat shows each of $many pipes once and in order" "$((many + 1)) $({ echo 0 && seq $((id + 1)) $((id + many)); } | sha256sum)" "$(
	for i in $(seq $many); do echo "many$i"; done >/tmp/names
	while read -r name; do echo "$name" >$class/create; done </tmp/names
	cat /proc/kmsgpipe_stats >/tmp/stats
	while read -r name; do echo "$name" >$class/destroy; done </tmp/names
	echo "$(wc -l </tmp/stats) $(sed -E 's/^pipe([0-9]+): .*/\1/' /tmp/stats | sha256sum)"
)"
# A broadcast pipe has all of the files but one, which a pipe with priorities has.
echo 'all kind=broadcast' >$class/create
echo 'urgent priorities=2' >$class/create
pipe_of() { basename "$(dirname "$(grep -l "/dev/kmsgpipe/$1" $class/pipe*/node)")"; }
all=$(pipe_of all) urgent=$(pipe_of urgent)
# Every device has dev and uevent.
# spec: 8-sysfs
is "sysfs has the documented files" \
	"$(sed -nE 's:^What\:\s*(.*[^/])/?$:\1:p' docs/ABI/testing/sysfs-class-kmsgpipe | sed "s:pipe<N>:$all:" | sort)" \
	"$(find $class "$class/$all/" "$class/$urgent/" -maxdepth 1 \( -type f ! -name dev ! -name uevent -o -path $class \) |
		sed "s:$urgent:$all:" | sort -u)"
echo all >$class/destroy
echo urgent >$class/destroy
is "the line in /proc has the documented words" "$(words procfs-kmsgpipe_stats)" \
	"$(head -n 1 /proc/kmsgpipe_stats | grep -oE '[a-z_]+=' | tr -d =)"
exec 7</dev/kmsgpipe0
kmsgpipectl ioctl - ATTACH browse oldest <&7
is "the line of a subscription has the documented words" "$(words procfs-kmsgpipe_subscriptions)" \
	"$(head -n 1 /proc/kmsgpipe_subscriptions | grep -oE '[a-z_]+=' | tr -d =)"
exec 7<&-
is "the line in debugfs has the documented words" "$(words debugfs-kmsgpipe)" \
	"$(head -n 1 /sys/kernel/debug/kmsgpipe/pipes | grep -oE '[a-z_]+=' | tr -d =)"
finish
