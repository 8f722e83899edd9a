#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl subscriptions: the subscriptions of one pipe and of all pipes, as text and as JSON.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"

# run COMMAND...: prints "STATUS:OUTPUT", where OUTPUT includes standard error, with one space between columns.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "$output" | sed -E 's/ +/ /g'
}

head="PIPE ID SUBSCRIPTION KIND GROUP FILES NEXT RECEIVED LOST EXPIRED LAG"
news=/dev/kmsgpipe/news
kmsgpipectl create --name news --kind broadcast --max-msgs 2 --overflow drop-oldest >/dev/null
id=$(sed -nE "s/^pipe([1-9][0-9]*):.*/\1/p" /proc/kmsgpipe_stats)
is "without subscriptions there is a heading" "0:$head" "$(run kmsgpipectl subscriptions)"
exec 5<$news
printf one >$news
printf two >$news
exec 6<$news
printf three >$news
exec 7</dev/kmsgpipe0
kmsgpipectl ioctl - ATTACH browse now <&7
is "each subscription has a line" "0:$head
0 0 1 browse - 1 1 0 0 0 0
news $id 1 own - 1 2 0 1 0 2
news $id 2 own - 1 3 0 0 0 1" "$(run kmsgpipectl subscriptions | sed -E 's/^0 0 [0-9]+ browse - 1 [0-9]+ /0 0 1 browse - 1 1 /')"
is "those of one pipe can be selected" "0:$head
news $id 1 own - 1 2 0 1 0 2
news $id 2 own - 1 3 0 0 0 1" "$(run kmsgpipectl subscriptions news)"
is "the number is that in fdinfo" "2" "$(sed -n 's/^kmsgpipe-subscription:\t//p' /proc/$$/fdinfo/6)"
is "--json has every value" '0:{"schema":1,"subscriptions":[{"pipe":"news","id":'"$id"',"name":"news","subscription":1,"kind":"own","group":null,"files":1,"next_seq":2,"published_msgs":3,"received_msgs":0,"lost_msgs":1,"expired_msgs":0,"lag_msgs":2},{"pipe":"news","id":'"$id"',"name":"news","subscription":2,"kind":"own","group":null,"files":1,"next_seq":3,"published_msgs":1,"received_msgs":0,"lost_msgs":0,"expired_msgs":0,"lag_msgs":1}]}' \
	"$(run kmsgpipectl --json subscriptions news)"
is "a user without privilege sees all" "4" \
	"$(setpriv --reuid 65534 --regid 65534 --clear-groups kmsgpipectl subscriptions | wc -l)"
exec 7<&-
exec 6<&- 5<&-
is "a closed file has no line" "0:$head" "$(run kmsgpipectl subscriptions news)"
is "--json without subscriptions is an empty list" '0:{"schema":1,"subscriptions":[]}' "$(run kmsgpipectl --json subscriptions)"
kmsgpipectl destroy news
like "a pipe that does not exist is an error" "3:kmsgpipectl: cannot open $news: *(ENOENT)*" "$(run kmsgpipectl subscriptions news)"
if [[ -n $LAB_MODULE ]]; then
	rmmod kmsgpipe
	like "without the module, an error says how to load it" "3:*modprobe*" "$(run kmsgpipectl subscriptions)"
	insmod "$LAB_MODULE"
else
	skip "without the module, an error says how to load it" "the module is built in"
fi
finish
