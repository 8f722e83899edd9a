#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl recv --browse, --since and --lines: which messages they write, in queues and in broadcast pipes.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
cd "$LAB_WORK" || exit 1

# run COMMAND...: prints "STATUS:OUTPUT", where OUTPUT includes standard error, with spaces for newlines.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "${output//$'\n'/ }"
}

kmsgpipectl create --name logs --max-msgs 8 >/dev/null
kmsgpipectl create --name news --kind broadcast --history 3 --max-msgs 8 >/dev/null
for word in one two three four five; do
	kmsgpipectl send logs $word
	kmsgpipectl send news $word
done
browse() { run kmsgpipectl recv --browse --all "$@"; }

is "--browse --all writes the stored messages and consumes none" "0:one two three four five/0:one two three four five" \
	"$(browse logs)/$(browse logs)"
is "--browse of a broadcast pipe writes the history" "0:three four five" "$(browse news)"
is "--lines begins with the newest messages" "0:four five/0:five/0:/0:one two three four five" \
	"$(browse --lines 2 logs)/$(browse --lines 1 logs)/$(browse --lines 0 logs)/$(browse --lines 99 logs)"
is "--since takes a sequence number" "0:four five/0:five/0:/0:one two three four five" \
	"$(browse --since seq:4 logs)/$(browse --since seq:5 logs)/$(browse --since seq:6 logs)/$(browse --since seq:0 logs)"
is "--since oldest and --since now" "0:one two three four five/0:" "$(browse --since oldest logs)/$(browse --since now logs)"
third=$(kmsgpipectl recv --browse --all --json logs | sed -nE '3s/.*"realtime_ns":([0-9]+)([0-9]{9}),.*/\1.\2/p')
is "--since takes a time" "0:three four five/0:one two three four five/0:" \
	"$(browse --since "@$third" logs)/$(browse --since 1h logs)/$(browse --since "@$(($(date +%s) + 3600))" logs)"
is "--count ends --browse" "0:one two" "$(run kmsgpipectl recv --browse --count 2 logs)"
like "--nonblock and --timeout end --browse when it has seen all" "5:one *EAGAIN*5 messages received before*/6:one *ETIMEDOUT*" \
	"$(run kmsgpipectl recv --browse --nonblock logs)/$(run kmsgpipectl recv --browse --timeout 50ms logs)"
is "a new subscription begins with the history" "0:three four five" "$(run kmsgpipectl recv --all news)"
is "--since and --lines move a subscription" "0:five/0:four five/0:" \
	"$(run kmsgpipectl recv --all --lines 1 news)/$(run kmsgpipectl recv --all --since seq:4 news)/$(
		run kmsgpipectl recv --all --since now news)"
like "in a queue, --since and --lines need --browse" "2:*EINVAL*--since and --lines need --browse there/2:*need --browse there" \
	"$(run kmsgpipectl recv --since oldest logs)/$(run kmsgpipectl recv --lines 1 logs)"
like "--since takes nothing else" "2:*yesterday*" "$(run kmsgpipectl recv --browse --since yesterday logs)"
# It waits for the next message, as journalctl -f does, and writes it at once.
kmsgpipectl recv --browse --lines 1 logs >seen &
until [[ $(cat seen) == five ]]; do sleep 0.05; done
kmsgpipectl send logs six
until [[ $(cat seen) == $'five\nsix' ]]; do sleep 0.05; done
kill $!
wait $!
is "--browse follows new messages until it is interrupted" "five six" "$(xargs <seen)"
is "browsing has consumed nothing" "0:one two three four five six" "$(run kmsgpipectl recv --all logs)"
# What leaves the pipe before it was read is lost for a file that browses.
exec 5</dev/kmsgpipe/logs
kmsgpipectl send logs seven
kmsgpipectl send logs eight
kmsgpipectl ioctl - ATTACH browse oldest <&5
kmsgpipectl recv logs >seen
is "a message that another reader got is lost for one that browses" "eight/1" "$(
	head -c 5 <&5
)/$(sed -n 's/^kmsgpipe-lost-msgs:\t//p' /proc/$$/fdinfo/5)"
exec 5<&-
rm seen
kmsgpipectl destroy logs news
finish
