#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl on a real pipe: every command, its output as text and as JSON, and its exit status.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
node=/dev/kmsgpipe0
cd "$LAB_WORK" || exit 1

# run COMMAND...: prints "STATUS:OUTPUT", where OUTPUT includes standard error.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "$output"
}

# nobody COMMAND...: runs the command without privilege, and prints what `run` prints.
nobody() { run setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }

# value NAME JSON: prints the first number of that name. This is shell, as python takes 20 s to start on the debug kernel.
value() { [[ $2 =~ \"$1\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

# field NAME PIPE: prints a field of the statistics.
field() { value "$1" "$(kmsgpipectl stats "$2" --json)"; }

# json ARGUMENT...: prints the output with --json, and keeps it for a check at the end.
json() { kmsgpipectl --json "$@" | tee -a all.json; }

# offered WORD...: prints what completion in bash offers for the last word.
offered() {
	# shellcheck disable=SC2016 # expanded by the other shell
	bash -c 'eval "$(kmsgpipectl completions bash)"
		COMP_WORDS=(kmsgpipectl "$@") COMP_CWORD=$#
		"$(complete -p kmsgpipectl | sed "s/.*-F \([^ ]*\).*/\1/")" kmsgpipectl "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' bash "$@"
}

is "recv prints what send sent" "0:/0:hello" "$(run kmsgpipectl send 0 hello)/$(run kmsgpipectl recv 0)"
is "a pipe can be named by number, by node and by path" "0:a0:b0:c" "$(kmsgpipectl send 0 a && kmsgpipectl send kmsgpipe0 b && kmsgpipectl send $node c &&
	run kmsgpipectl recv $node && run kmsgpipectl recv kmsgpipe0 && run kmsgpipectl recv 0)"
is "send takes a message as argument" "0:one
two words" "$(kmsgpipectl send 0 one 'two words' && run kmsgpipectl recv -n 2 0)"
is "send makes each line of standard input a message" "0:1
2
3" "$(seq 3 | kmsgpipectl send 0 && run kmsgpipectl recv -n 3 0)"
is "--null keeps newlines in messages" "a,b
c," "$(printf 'a\0b\nc\0' | kmsgpipectl send --null 0 && kmsgpipectl recv -n 2 --null 0 | tr '\0' ,)"
is "send --whole makes the whole input one message" "4:a
b" "$(printf 'a\nb\n' | kmsgpipectl send --whole 0 && field depth_bytes 0 | tr '\n' : &&
	kmsgpipectl recv --raw 0)"
head -c 200 /dev/urandom >binary
# spec: 3-raw-bytes
is "binary messages pass unchanged" "$(sha256sum <binary)" "$(kmsgpipectl send --whole 0 <binary && kmsgpipectl recv --raw 0 | sha256sum)"
is "length-prefixed messages are received as they were sent" "$(printf '\003\0\0\0abc\001\0\0\0d' | sha256sum)" \
	"$(printf '\003\0\0\0abc\001\0\0\0d' | kmsgpipectl send --length-prefixed 0 && kmsgpipectl recv -n 2 --length-prefixed 0 | sha256sum)"
like "recv --json prints all fields" '{"schema":1,"seq":*,"age_ns":*,"monotonic_ns":*,"realtime_ns":1??????????????????,"uid":0,"gid":0,"pid":[1-9]*,"privileged":false,"len":2,"data":"é"}?{"schema":1,"seq":*,"privileged":false,"len":1,"data_hex":"ff"}' "$(printf 'é' | kmsgpipectl send --whole 0 && printf '\377' | kmsgpipectl send --whole 0 && json recv -n 2 0)"

like "recv --nonblock of an empty pipe fails with EAGAIN" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl recv --nonblock 0)"
like "recv --timeout of an empty pipe ends with 6" "6:*kmsgpipe0*" "$(run kmsgpipectl recv --timeout 50ms 0)"
is "recv with a timeout prints the messages that arrived before it" "6:only" \
	"$(kmsgpipectl send 0 only && run kmsgpipectl recv -n 2 --timeout 50ms 0 | head -n 1)"
for _ in $(seq 128); do echo fill; done | kmsgpipectl send 0
like "send --nonblock to a full pipe fails with EAGAIN" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl send --nonblock 0 more)"
like "send --timeout to a full pipe ends with 6" "6:*kmsgpipe0*" "$(run kmsgpipectl send --timeout 50ms 0 more)"
is "clear drops all messages" "0:" "$(run kmsgpipectl clear 0 | sed 's/:.*/:/')"
is "clear leaves no message" "0" "$(field depth_msgs 0)"

like "the error for a message that is too long names its length and the limit" "1:*257*256*" \
	"$(head -c 257 /dev/zero | run kmsgpipectl send --whole 0)"
long=$(head -c 300 /dev/zero | tr '\0' x)
# three ARGUMENT...: sends three lines, of which the second is too long, and prints what arrived.
three() {
	printf 'a\n%s\nb\n' "$long" | run kmsgpipectl send 0 "$@"
	kmsgpipectl recv --all 0 | awk '{printf "/%s", (length($0) > 1 ? length($0) : $0)}'
}
like "a message that is too long ends send" "1:*message 2: *300*256*1 message was sent before it/a" "$(three)"
like "send can skip a message that is too long" "0:*message 2 of 300 bytes*skipped/a/b" "$(three --too-long skip)"
like "send can cut a message that is too long" "0:*message 2 of 300 bytes*cut to 256/a/256/b" "$(three --too-long cut)"
is "send --json counts messages that were cut" \
	'{"schema":1,"pipe":"kmsgpipe0","sent_msgs":3,"sent_bytes":513,"empty_msgs":0,"skipped_msgs":0,"cut_msgs":2}' \
	"$(json send --too-long cut 0 "$long" a "$long" 2>said)"
is "send counts skipped messages at its end" "2 messages were too long and were cut" "$(sed -n '2s/.*warning: //p' said)"
kmsgpipectl clear 0
like "send skips an empty message and says so" "0:*empty*" "$(printf '\n' | run kmsgpipectl send 0)"

like "list shows all pipes" "0:PIPE  ID  DEPTH*EXPIRY*DEQUEUED?0 *" "$(run kmsgpipectl list)"
is "list is the default" "$(kmsgpipectl list)" "$(kmsgpipectl)"
like "list --json prints all fields" '{"schema":1,"pipes":\[{"pipe":"kmsgpipe0","path":"/dev/kmsgpipe0",*"id":0,*"msg_size":256,"max_msgs":128,*}\]}' "$(json list)"
kmsgpipectl send 0 12345
stats=$(json stats 0)
like "stats --json prints the sender of the oldest message" '*"depth_msgs":1,*"head":{"seq":*,"age_ns":*,"len":5,"uid":0,"gid":0,"pid":[1-9]*}*' "$stats"
is "statistics are consistent" "ok ok" "$(for u in msgs bytes; do
	(($(value enqueued_$u "$stats") == $(value dequeued_$u "$stats") + $(value expired_$u "$stats") + $(value dropped_$u "$stats") + $(value depth_$u "$stats"))) && echo ok
done | xargs)"
like "stats prints the depth" "0:*depth*" "$(run kmsgpipectl stats 0)"
kmsgpipectl clear 0

like "clear without privilege fails with EPERM" "4:*kmsgpipe0*EPERM*" "$(nobody kmsgpipectl clear 0)"
like "--json prints errors as JSON" '4:*"errno":"EPERM"*' "$(nobody kmsgpipectl --json clear 0)"
chmod 600 $node
like "a permission error names owner, group and mode" "4:*kmsgpipe0*EACCES*0600*1000*parameter*mode*" "$(nobody kmsgpipectl recv --nonblock 0)"
chmod 666 $node

# An exclusive reader, which ends when this shell closes the other end of its standard input.
mkfifo opened held
# shellcheck disable=SC2016 # perl's variables
setpriv --reuid 1000 --regid 1000 --clear-groups perl -MFcntl -e 'sysopen(my $pipe, $ARGV[0], O_RDWR | O_EXCL) or die;
	syswrite(STDOUT, "x"); readline(STDIN)' $node <held >opened &
exec 6>held
read -r -N 1 _ <opened
like "recv fails with EBUSY beside an exclusive reader" "1:*kmsgpipe0*EBUSY*open exclusively*" "$(nobody kmsgpipectl recv --nonblock 0)"
like "stats opens the pipe for writing beside an exclusive reader" "0:*readers *1
writers *1
*" "$(nobody kmsgpipectl stats 0)"
chmod 644 $node
like "stats fails beside an exclusive reader without write permission" "1:*kmsgpipe0*EBUSY*open exclusively*" "$(nobody kmsgpipectl stats 0)"
chmod 666 $node
exec 6>&-
wait

like "a missing pipe ends with 3" "3:*kmsgpipe7*" "$(run kmsgpipectl stats 7)"
like "a device that is not a pipe is rejected" "[37]:*null*" "$(run kmsgpipectl send /dev/null x)"
like "a usage error ends with 2" "2:*" "$(run kmsgpipectl recv --count x 0)"
like "completion scripts are printed" "0:*kmsgpipectl*" "$(run kmsgpipectl completions bash)"
is "completion offers existing pipes" "0" "$(offered recv "")"
is "completion offers modes" "none whole eof hup lines records" "$(offered create --default-mode "")"
is "completion offers formats" "short iso verbose" "$(offered recv --format "")"
is "completion offers requests" "KMSGPIPE_SET_PARAMS KMSGPIPE_SET_MODE" "$(offered ioctl 0 KMSGPIPE_SET_)"
is "recv ends quietly when the reader of its output has gone" "x:" "$(seq 20 | kmsgpipectl send 0 && kmsgpipectl recv -f 0 2>errors | head -n 1 >first &&
	sed 's/1/x/' first | tr '\n' : && cat errors)"
kmsgpipectl clear 0
kmsgpipectl send 0 kept
like "a closed standard output is refused before a message is taken" "1:*EBADF*closed*/1" \
	"$(run sh -c 'kmsgpipectl recv 0 >&-')/$(field depth_msgs 0)"
is "standard output to /dev/null is accepted" "0:/0" "$(run sh -c 'kmsgpipectl recv 0 >/dev/null')/$(field depth_msgs 0)"
is "recv --all empties the pipe, then finds no message" "0:1
2
3/0:" "$(seq 3 | kmsgpipectl send 0 && run kmsgpipectl recv --all 0)/$(run kmsgpipectl recv --all 0)"
mkfifo gone
seq 3 | kmsgpipectl send 0
exec 7<>gone
exec 8>gone 7<&-
kmsgpipectl recv -f 0 >&8
is "recv takes no message when the reader of its output has gone" "141 3" "$? $(field depth_msgs 0)"
exec 8>&-
is "recv --count takes this many messages and leaves the rest" "1 2" "$(kmsgpipectl recv --count 1 0 | head -n 1) $(field depth_msgs 0)"
kmsgpipectl clear 0

# create, list, show, set-params, flush. Pipes get consecutive numbers.
n0=$(kmsgpipectl ioctl 0 CREATE_NEW)
kmsgpipectl destroy "$n0"
n1=$((n0 + 1)) n2=$((n0 + 2)) n3=$((n0 + 3)) n4=$((n0 + 4)) n5=$((n0 + 5)) n6=$((n0 + 6)) n7=$((n0 + 7))
n8=$((n0 + 8)) n9=$((n0 + 9))
is "create prints the node" "0:/dev/kmsgpipe$n1" "$(run kmsgpipectl create)"
is "create applies all options" "0:/dev/kmsgpipe/log/640 1000 1001/c" \
	"$(run kmsgpipectl create --name log --msg-size 1K --max-msgs 16 --mode 0640 --owner 1000:1001)/$(stat -c '%a %u %g/%A' /dev/kmsgpipe/log | cut -c 1-15)"
is "create accepts names of users and groups" "0:/dev/kmsgpipe$n3/0 4" \
	"$(run kmsgpipectl create --owner root:adm)/$(stat -c '%u %g' "/dev/kmsgpipe$n3")"
is "create --json prints number, node and name" "0:{\"schema\":1,\"id\":$n4,\"node\":\"/dev/kmsgpipe/j.s-o_n\",\"name\":\"j.s-o_n\"}/600 0 7" \
	"0:$(json create --name j.s-o_n --group 7)/$(stat -c '%a %u %g' /dev/kmsgpipe/j.s-o_n)"
is "a pipe is found by name and by number" "1 2 3 4 5 6" "$(
	kmsgpipectl send log 1 2 3 && kmsgpipectl send "$n2" 4
	kmsgpipectl send /dev/kmsgpipe/log 5 && kmsgpipectl send "pipe$n2" 6
	echo "$(kmsgpipectl recv log)" "$(kmsgpipectl recv "$n2")" "$(kmsgpipectl recv "kmsgpipe$n2")" "$(kmsgpipectl recv "pipe$n2")" \
		"$(kmsgpipectl recv log)" "$(kmsgpipectl recv /dev/kmsgpipe/log)"
)"
kmsgpipectl create --name "$n1" >/dev/null
kmsgpipectl create --name "pipe$n1" >/dev/null
kmsgpipectl create --name "kmsgpipe-$n1" >/dev/null
is "digits are a number, and a pipe with such a name is found by its path" "$n1 $n1 $n1 $n5 $n6 $n7 $n7" "$(
	for pipe in "$n1" "pipe$n1" "kmsgpipe$n1" "/dev/kmsgpipe/$n1" "/dev/kmsgpipe/pipe$n1" "kmsgpipe-$n1" "/dev/kmsgpipe/kmsgpipe-$n1"; do
		field id "$pipe"
	done | xargs)"
is "list shows names and numbers" \
	"0 0,$n1 $n1,log $n2,$n3 $n3,j.s-o_n $n4,/dev/kmsgpipe/$n1 $n5,/dev/kmsgpipe/pipe$n1 $n6,kmsgpipe-$n1 $n7," \
	"$(kmsgpipectl list | tail -n +2 | awk '{print $1, $2}' | tr '\n' ,)"
kmsgpipectl destroy "/dev/kmsgpipe/$n1" "/dev/kmsgpipe/pipe$n1" "kmsgpipe-$n1"
like "list shows pipes that may not be opened" "*\"pipe\":\"kmsgpipe$n1\",*\"name\":null,\"id\":$n1,*\"source\":\"sysfs\"*\"pipe\":\"log\",*\"name\":\"log\",\"id\":$n2,*\"msg_size\":1024,\"max_msgs\":16,*\"source\":\"ioctl\"*\"id\":$n3,*\"source\":\"sysfs\"*" \
	"$(nobody kmsgpipectl list --json)"
like "show prints one pipe" "0:pipe *log*node */dev/kmsgpipe/log*number *$n2*mode *0640*owner *1000*group *1001*16 messages of at most 1024 bytes*expiry *never*oldest *none*sent *6 messages of 6 bytes*" \
	"$(run kmsgpipectl show log)"
like "show --json prints all fields" '{"schema":1,"pipes":\[{*"name":"log",*"source":"ioctl","node":{"mode":"0640","uid":1000,"gid":1001,"major":[1-9]*,"minor":'"$n2"'}}\]}' "$(json show log)"
like "show prints a pipe that may not be opened" "0:*kmsgpipe$n3*sent *0 messages*" "$(nobody kmsgpipectl show "$n3")"
like "stats of a pipe that may not be opened fails with EACCES" "4:*kmsgpipe$n3*EACCES*0600*create --mode*" "$(nobody kmsgpipectl stats "$n3")"
like "create with a name in use fails with EEXIST" "1:*EEXIST*list*" "$(run kmsgpipectl create --name log)"
like "create with a bad name says what a name may have" "2:*letters*" "$(run kmsgpipectl create --name 'l g')"
like "create beyond a limit names the limit" "2:*EINVAL*65 messages of 1048576 bytes are 68157440*max_bytes*67108864*" \
	"$(run kmsgpipectl create --msg-size 1MB --max-msgs 65)"
like "create without privilege fails with EPERM" "4:*EPERM*CAP_SYS_ADMIN*sudo*" "$(nobody kmsgpipectl create)"

is "set-params changes the given limits only" "0:/64 16/0:/64 65536" \
	"$(run kmsgpipectl set-params log --msg-size 64)/$(field msg_size log) $(field max_msgs log)/$(
	run kmsgpipectl set-params log --max-msgs 64K)/$(field msg_size log) $(field max_msgs log)"
is "set-params --json prints the limits" '{"schema":1,"pipe":"log","msg_size":128,"max_msgs":8}' \
	"$(json set-params log --msg-size 128 --max-msgs 8)"
kmsgpipectl send log x
like "set-params of a pipe with messages fails with EBUSY" "1:*EBUSY*clear*" "$(run kmsgpipectl set-params log --msg-size 1)"
kmsgpipectl clear log
like "set-params beyond a limit names the limit" "2:*expected 1 to 1048576 bytes*" "$(run kmsgpipectl set-params log --msg-size 2M)"
like "set-params without privilege fails with EPERM" "4:*EPERM*" "$(nobody kmsgpipectl set-params 0 --msg-size 1)"

is "flush enable sets interval and expiry" "0:/250 2000/0:/1000 10000" "$(run kmsgpipectl flush enable log --interval 250ms --expiry 2)/$(
	field flush_interval_ms log) $(field flush_expiry_ms log)/$(run kmsgpipectl flush enable log)/$(
	field flush_interval_ms log) $(field flush_expiry_ms log)"
is "flush enable --json prints the settings" '{"schema":1,"pipe":"log","enabled":true,"interval_ms":1000,"expiry_ms":60000}' \
	"$(json flush enable log --expiry 1m)"
like "show prints the expiry" "*expiry *after 1m, looked for every 1s*" "$(kmsgpipectl show log)"
is "list prints the expiry in short" "- 1m" "$(kmsgpipectl list | awk '$1 == "0" || $1 == "log" {print $7}' | xargs)"
is "list in 40 columns leaves columns out" "PIPE DEPTH MAX MSGSIZE EXPIRY" "$(COLUMNS=40 kmsgpipectl list | head -n 1 | xargs)"
is "text output fits 40 and 80 columns" "" "$(for columns in 40 80; do
	export COLUMNS=$columns
	{
		kmsgpipectl list && kmsgpipectl watch -n 1 && kmsgpipectl show log && kmsgpipectl stats log
	} | awk -v columns="$columns" 'length > columns'
done)"
kmsgpipectl flush enable log --interval 50ms --expiry 100ms
kmsgpipectl send log old
until [[ $(field expired_msgs log) == 1 ]]; do sleep 0.05; done
like "recv finds no expired message" "5:*EAGAIN*/1" "$(run kmsgpipectl recv --nonblock log)/$(field expired_msgs log)"
is "flush disable switches the expiry off" "0:/0 0" "$(run kmsgpipectl flush disable log)/$(field flush_interval_ms log) $(field flush_expiry_ms log)"
like "flush without privilege fails with EPERM" "4:*EPERM*" "$(nobody kmsgpipectl flush enable 0)"

# dump.
printf 'a\n\033[31m\134' | setpriv --reuid 1000 --regid 1001 --clear-groups kmsgpipectl send --whole 0
printf 'gr\303\274n\377' | kmsgpipectl send --whole 0
like "dump shows sender and content, and escapes control characters" '0:SEQ*AGE*UID*LEN*DATA*s  1000  1001 *a\\n\\u{1b}\[31m\\\\*  grün\\xff' \
	"$(run kmsgpipectl dump 0)"
like "dump --hex prints bytes and text" "0:*61 0a 1b 5b 33 31 6d 5c *|a..?31m?|*" "$(run kmsgpipectl dump --hex 0)"
like "dump --json prints all fields" '{"schema":1,"pipe":"kmsgpipe0","path":"/dev/kmsgpipe0","missing":0,"records":\[{"seq":*,"age_ns":*,"monotonic_ns":*,"realtime_ns":1?????????*,"uid":1000,"gid":1001,"pid":*,"len":8,"data":"a\\n\\u001b\[31m\\\\"},{*"len":6,"data_hex":"6772c3bc6eff"}\]}' \
	"$(json dump 0)"
like "dump --json --hex prints the payload in hexadecimal" '*"data_hex":"610a1b5b33316d5c"*' "$(json dump 0 --hex)"
is "dump leaves the messages in the pipe" "2" "$(field depth_msgs 0)"
kmsgpipectl clear 0
nobody sh -c 'echo lent >&3' 3>/dev/kmsgpipe0 >/dev/null
like "dump marks senders with other effective ids" '0:SEQ*  1000\*  1000  *lent*' "$(run kmsgpipectl dump 0)"
like "dump --json marks senders with other effective ids" '*"uid":1000,"gid":1000,"pid":*,"privileged":true,"len":5,*' "$(json dump 0)"
like "show marks a sender with other effective ids" '*oldest *by uid 1000, gid 1000, pid *, privileged*' "$(kmsgpipectl show 0)"
kmsgpipectl clear 0
seq 128 | kmsgpipectl send 0
is "dump prints all messages of a full pipe" "0:$(seq 128)" "$(run kmsgpipectl dump 0 | awk '{if (NR > 1) print $NF; else printf "0:"}')"
kmsgpipectl clear 0
like "dump without privilege fails with EPERM" "4:*EPERM*" "$(nobody kmsgpipectl dump 0)"

# Messages received with their metadata.
before=$EPOCHSECONDS
kmsgpipectl send 0 one two
one=$(json recv 0)
two=$(json recv 0)
is "recv --json prints sequence numbers and times" "1 ok ok" "$(($(value seq "$two") - $(value seq "$one"))) $(
	sent=$(($(value realtime_ns "$one") / 1000000000))
	((before - 1 <= sent && sent <= EPOCHSECONDS)) && echo ok) $(
	(($(value age_ns "$two") > 0 && $(value monotonic_ns "$one") <= $(value monotonic_ns "$two"))) && echo ok)"
# when FORMAT: prints the time of the oldest message in a format of date(1).
when() {
	local ns
	ns=$(value realtime_ns "$(json dump 0)")
	LC_ALL=C date -d "@${ns::-9}.${ns: -9}" "+$1"
}
setpriv --reuid 1000 --regid 1001 --clear-groups kmsgpipectl send --count 4 0 $'a\n\33[31m\\' &
pid=$!
wait $pid
export TZ=IST-5:30
is "--format short prints local time and sender, and escapes control characters" \
	"0:$(when '%b %d %T.%6N') uid 1000 pid $pid: a\\n\\u{1b}[31m\\\\" "$(run kmsgpipectl recv --format short 0)"
is "--format iso prints the date and the offset from UTC" \
	"0:$(when '%Y-%m-%dT%T.%6N+05:30') uid 1000 pid $pid: a\\n\\u{1b}[31m\\\\" "$(run kmsgpipectl recv --format iso 0)"
is "--format verbose prints all metadata" \
	"realtime=$(when '%Y-%m-%dT%T.%6N+05:30') uid=1000 gid=1001 pid=$pid privileged=no priority=0 deliveries=1 lost=0 len=8 data=a\\n\\u{1b}[31m\\\\ = " \
	"$(kmsgpipectl recv --format verbose 0 | awk '$1 !~ /^(seq|monotonic|age)$/ {printf "%s=%s ", $1, $2}')"
unset TZ
like "--json prints all metadata" '{"schema":1,*"uid":1000,"gid":1001,"pid":'$pid',"privileged":false,"len":8,"data":"a\\n\\u001b\[31m\\\\"}' "$(json recv 0)"
nobody sh -c 'echo lent >&3; echo lent >&3' 3>$node >/dev/null
like "recv marks senders with other effective ids" '* uid 1000\* pid [1-9]*: lent\\n/*"uid":1000,"gid":1000,"pid":*,"privileged":true,"len":5,*' \
	"$(kmsgpipectl recv --format short 0)/$(json recv 0)"
is "each message is received alone, whatever its length and the next one" "4 3 2 1 0" "$({
	kmsgpipectl send 0 a "${long::200}" b c "${long::73}"
	for _ in 1 2 3 4 5; do
		json recv 0 >/dev/null
		field depth_msgs 0
	done
} | xargs)"
is "recv --all --format empties the pipe, then finds no message" "1 2 3/0:" \
	"$(seq 3 | kmsgpipectl send 0 && kmsgpipectl recv --all --format short 0 | sed 's/.*: //' | xargs)/$(run kmsgpipectl --json recv --all 0)"
like "recv --format of an empty pipe fails with EAGAIN, or ends with 6 after a timeout" '5:{"schema":1,"error":{"errno":"EAGAIN",*"exit":5}}/6:*kmsgpipe0*ETIMEDOUT*' \
	"$(run kmsgpipectl recv --json --nonblock 0)/$(run kmsgpipectl recv --format iso --timeout 50ms 0)"

# watch.
is "watch prints a line per interval" "PIPE 0 0 - 0" \
	"$(kmsgpipectl watch 0 -n 2 -i 100ms | awk '{print $2; rate = rate " " $7} END {print rate}' | xargs | sed 's/ SENT.S//')"
like "watch prints the time, and several pipes in blocks" "TIME *PIPE *?[0-2][0-9]:[0-5][0-9]:[0-6][0-9]  0 *?[0-2]*  log *??[0-2]*  0 *?[0-2]*  log *" \
	"$(kmsgpipectl watch 0 log -n 2 -i 100ms)"
mkfifo ticks
kmsgpipectl --json watch -i 100ms 0 >ticks &
exec 5<ticks
read -r first <&5
# While watch is stopped it cannot look between these two, however slow the machine is.
kill -STOP $!
kmsgpipectl send 0 12345 && kmsgpipectl recv 0 >/dev/null
kill -CONT $!
until read -r second <&5 && [[ $second != *'"delta":{"enqueued_msgs":0,'* ]]; do :; done
exec 5<&-
printf '%s\n' "$first" "$second" >>all.json
like "watch --json begins without differences" '{"schema":1,"realtime_ns":1??????????????????,"elapsed_ns":null,"pipes":\[{"pipe":"kmsgpipe0",*"delta":null}\]}' "$first"
like "watch --json prints differences" '{"schema":1,"realtime_ns":1??????????????????,"elapsed_ns":[1-9]????????*,*"delta":{"enqueued_msgs":1,"enqueued_bytes":5,"dequeued_msgs":1,*"dropped_msgs":0,*}}\]}' "$second"
is "watch ends when the reader of its output has gone" "PIPE 0 141" "$({
	kmsgpipectl watch 0 -i 50ms
	echo $? >status
} 2>&1 | head -n 2 | awk '{print $2}' | xargs) $(cat status)"
# The shell makes commands in the background ignore SIGINT.
env --default-signal=INT kmsgpipectl watch -i 100ms 0 >watched &
until [[ -s watched ]]; do sleep 0.05; done
kill -INT $!
wait $!
is "watch ends on an interrupt" "130" "$?"
is "an interrupted watch prints whole lines" "1" "$(awk '{print NF}' watched | sort -u | wc -l)"

# ioctl.
kmsgpipectl send 0 'system ready'
# spec: 10-get-stats
like "ioctl KMSGPIPE_GET_STATS prints the statistics" "0:id *0*depth_msgs *1*head_len *12*" "$(run kmsgpipectl ioctl $node KMSGPIPE_GET_STATS)"
# spec: 10-clear-queue
is "ioctl KMSGPIPE_CLEAR_QUEUE drops all messages" "0:/0" "$(run kmsgpipectl ioctl $node KMSGPIPE_CLEAR_QUEUE)/$(field depth_msgs 0)"
# spec: 10-flush-periodic
is "ioctl KMSGPIPE_FLUSH_PERIODIC enable sets the default times" "0:/1000 10000" "$(run kmsgpipectl ioctl $node KMSGPIPE_FLUSH_PERIODIC enable)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)"
is "ioctl KMSGPIPE_FLUSH_PERIODIC sets the given times, and disable clears them" "0:/500 60000/0:/0 0" "$(run kmsgpipectl ioctl 0 flush_periodic enable 500ms 1m)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)/$(run kmsgpipectl ioctl 0 flush_periodic disable)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)"
is "ioctl KMSGPIPE_GET_PARAMS prints what KMSGPIPE_SET_PARAMS set" "0:msg_size  256
max_msgs  128/0:/0:msg_size  512
max_msgs  4" "$(run kmsgpipectl ioctl 0 GET_PARAMS)/$(run kmsgpipectl ioctl 0 SET_PARAMS 512 4)/$(run kmsgpipectl ioctl 0 get_params)"
like "ioctl leaves the check of arguments to the kernel" "2:*EINVAL*msg_size is 1 to 1048576 bytes, and not 0" "$(run kmsgpipectl ioctl 0 SET_PARAMS 0 0)"
kmsgpipectl ioctl 0 SET_PARAMS 256 128
is "ioctl KMSGPIPE_CREATE_NEW prints the number, and KMSGPIPE_DESTROY destroys the pipe" "0:$n8/0:$n9/600 64 32/0:/0:" \
	"$(run kmsgpipectl ioctl 0 CREATE_NEW)/$(run kmsgpipectl ioctl 0 CREATE_NEW 64 32 0 made)/$(stat -c %a /dev/kmsgpipe/made) $(field msg_size made) $(
	field max_msgs made)/$(run kmsgpipectl ioctl "$n8" DESTROY)/$(run kmsgpipectl ioctl made DESTROY)"
exec 6<>$node
is "ioctl KMSGPIPE_TOGGLE_BLOCK toggles O_NONBLOCK of an open file" "0:O_NONBLOCK  on/4002/0:O_NONBLOCK  off/0002" "$(run kmsgpipectl ioctl - TOGGLE_BLOCK <&6)/$(
	awk '/flags/ {print substr($2, length($2) - 3)}' /proc/$$/fdinfo/6)/$(run kmsgpipectl ioctl - TOGGLE_BLOCK <&6)/$(
	awk '/flags/ {print substr($2, length($2) - 3)}' /proc/$$/fdinfo/6)"
is "ioctl FIONBIO sets O_NONBLOCK of an open file" "0:O_NONBLOCK  on/0:O_NONBLOCK  off" \
	"$(run kmsgpipectl ioctl - FIONBIO 1 <&6)/$(run kmsgpipectl ioctl - FIONBIO 0 <&6)"
exec 6>&-
is "ioctl FIONREAD prints the length of the next message" "0:0/0:5" "$(run kmsgpipectl ioctl 0 FIONREAD)/$(kmsgpipectl send 0 12345 678 && run kmsgpipectl ioctl 0 FIONREAD)"
like "ioctl KMSGPIPE_DUMP prints all messages" "0:*12345*678*" "$(run kmsgpipectl ioctl 0 KMSGPIPE_DUMP)"
like "ioctl KMSGPIPE_DUMP with a small buffer counts the missing messages" "0:*12345*1 message did not fit*" "$(run kmsgpipectl ioctl 0 DUMP 72)"
is "ioctl --json prints the result" '{"schema":1,"pipe":"kmsgpipe0","request":"KMSGPIPE_GET_PARAMS","returned":0,"data":{"msg_size":256,"max_msgs":128}}' "$(json ioctl 0 GET_PARAMS)"
like "ioctl --json KMSGPIPE_DUMP prints the records" '*"data":{"missing":1,"records":\[{*"data":"12345"}\]}}' "$(json ioctl 0 DUMP 72)"
kmsgpipectl clear 0
like "ioctl without privilege gets limits, and fails with EPERM to clear the queue" "0:msg_size*4:*EPERM*" "$(nobody kmsgpipectl ioctl 0 GET_PARAMS)$(nobody kmsgpipectl ioctl 0 CLEAR_QUEUE)"
like "an unknown request is rejected with a list of requests" "2:*KMSGPIPE_FROB*KMSGPIPE_GET_STATS*KMSGPIPE_DUMP*" "$(run kmsgpipectl ioctl 0 KMSGPIPE_FROB)"

# destroy.
kmsgpipectl create --name spare >/dev/null
kmsgpipectl recv log >received 2>&1 &
until [[ $(field readers log) == 1 ]]; do sleep 0.05; done
is "destroy destroys several pipes" "0:/dev/kmsgpipe/j.s-o_n" "$(run kmsgpipectl destroy log /dev/kmsgpipe/spare)$(
	find /dev/kmsgpipe -type c)"
wait $!
like "destroy wakes a waiting recv" "3:*ENODEV*destroyed*" "$?:$(cat received)"
is "destroy --json prints the destroyed pipes" "{\"schema\":1,\"destroyed\":[{\"pipe\":\"kmsgpipe$n3\",\"path\":\"/dev/kmsgpipe$n3\",\"id\":$n3}]}" "$(json destroy "$n3")"
like "destroy destroys existing pipes and reports the others" "3:*/dev/kmsgpipe/log*ENOENT*/gone" \
	"$(run kmsgpipectl destroy log j.s-o_n)/$(ls /dev/kmsgpipe/j* 2>/dev/null || echo gone)"
like "pipe 0 cannot be destroyed" "1:*EBUSY*rmmod*" "$(run kmsgpipectl destroy 0)"
chmod 666 "/dev/kmsgpipe$n1"
like "destroy without privilege fails with EPERM" "4:*EPERM*" "$(nobody kmsgpipectl destroy "$n1")"
for i in $(seq 50); do echo "many$i" >/sys/class/kmsgpipe/create; done
is "list shows many pipes" "53 53/0:/3" "$(kmsgpipectl list | wc -l) $(nobody kmsgpipectl list | grep -c .)/$(
	# shellcheck disable=SC2046 # one word a name
	run kmsgpipectl destroy $(seq -f many%.0f 50))/$(kmsgpipectl list | wc -l)"
kmsgpipectl destroy "$n1"

# Modes of open files.
modal=/dev/kmsgpipe/modal
is "create sets the default mode" "0:$modal" "$(run kmsgpipectl create --name modal --default-mode lines,eof)"
default_mode=/sys/class/kmsgpipe/pipe$(field id modal)/default_mode
like "create with an unknown mode lists the modes" "2:*eof,hangup*none, or some of whole, eof, hup, lines, records *" \
	"$(run kmsgpipectl create --default-mode eof,hangup)"
like "create refuses modes that exclude each other" "2:*\"records,whole\"*records goes with eof and hup alone*" \
	"$(run kmsgpipectl create --default-mode records,whole)"
is "show prints the default mode" "opened in no mode/opened in the mode eof,lines" \
	"$(kmsgpipectl show 0 | sed -n 's/^files *//p')/$(kmsgpipectl show modal | sed -n 's/^files *//p')"
like "list --json prints the default mode" '*"id":0,*"default_mode":"none","overflow":"block","source":"ioctl"},*"name":"modal",*"default_mode":"eof,lines","overflow":"block","source":"ioctl"}\]}' \
	"$(json list)"
like "show --json prints the default mode of a pipe that may not be opened" '0:*"default_mode":"eof,lines","overflow":"block","source":"sysfs","node":{"mode":"0600",*' \
	"$(nobody kmsgpipectl --json show modal)"

# Overflow policies.
is "create takes an overflow policy" "0:/dev/kmsgpipe/spill" "$(run kmsgpipectl create --name spill --max-msgs 2 --overflow drop-oldest)"
is "show prints the overflow policy" "lets writers wait/drops the oldest message" \
	"$(kmsgpipectl show 0 | sed -n 's/^full *//p')/$(kmsgpipectl show spill | sed -n 's/^full *//p')"
like "list --json prints the overflow policy" '*"name":"spill",*"overflow":"drop-oldest",*' "$(json list)"
like "create refuses an unknown overflow policy" "2:*block, drop-oldest, drop-newest*" "$(run kmsgpipectl create --overflow drop)"
is "send to a full pipe that drops does not wait" "0:/0:/0:/b c/1" "$(run kmsgpipectl send spill a)/$(run kmsgpipectl send spill b)/$(
	run kmsgpipectl send --nonblock spill c)/$(kmsgpipectl recv --all spill | xargs)/$(field dropped_msgs spill)"
is "recv shows how many messages were lost" "2 0" "$(
	for word in d e f g; do kmsgpipectl send spill "$word"; done
	kmsgpipectl recv --format verbose --all spill | sed -n 's/^ *lost *//p' | xargs)"
kmsgpipectl destroy spill
is "ioctl KMSGPIPE_GET_MODE prints the default mode" "0:eof,lines/0:none" \
	"$(run kmsgpipectl ioctl modal KMSGPIPE_GET_MODE)/$(nobody kmsgpipectl ioctl 0 get_mode)"
is "ioctl --json KMSGPIPE_GET_MODE prints the mode" '{"schema":1,"pipe":"modal","request":"KMSGPIPE_GET_MODE","returned":0,"data":{"mode":"eof,lines"}}' \
	"$(json ioctl modal GET_MODE)"
exec 6<>$modal
is "ioctl KMSGPIPE_SET_MODE changes one open file" "0:/0:whole,lines/0:eof,lines" "$(run kmsgpipectl ioctl - KMSGPIPE_SET_MODE lines,whole <&6)/$(
	run kmsgpipectl ioctl - GET_MODE <&6)/$(run kmsgpipectl ioctl modal GET_MODE)"
like "ioctl KMSGPIPE_SET_MODE of a file with a partial line is EBUSY" "1:*$modal*EBUSY*an incomplete line*/0:whole,lines/0:/0:begun" "$(
	printf begun >&6
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl ioctl - GET_MODE <&6)/$(
	echo >&6
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl recv modal)"
/usr/bin/printf 'one\ntwo\n' >&6
head -c 2 <&6 >piece
like "ioctl KMSGPIPE_SET_MODE of a file with a rest is EBUSY" "1:*$modal*EBUSY*the rest of a message*/0:6/0:/0:none" "$(run kmsgpipectl ioctl - SET_MODE eof <&6)/$(
	run kmsgpipectl ioctl - FIONREAD <&6)/$(
	head -c 6 <&6 >piece
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl ioctl - GET_MODE <&6)"
is "ioctl KMSGPIPE_SET_MODE sets the mode records" "0:/0:eof,records" \
	"$(run kmsgpipectl ioctl - SET_MODE records,eof <&6)/$(run kmsgpipectl ioctl - GET_MODE <&6)"
exec 6>&-
is "ioctl KMSGPIPE_SET_MODE needs no privilege" "0:" "$(nobody kmsgpipectl ioctl 0 SET_MODE whole)"
like "ioctl --json with an unknown mode prints the error as JSON" '2:*KMSGPIPE_SET_MODE: \\"hangup\\" is not a mode *"exit":2}}' "$(run kmsgpipectl --json ioctl 0 SET_MODE hangup)"
printf 'a\nb\n' >$modal
is "send sends one message in a pipe with the default mode lines" "2/0:a
b/0:/1/0:a
b" "$(field depth_msgs modal)/$(run kmsgpipectl recv --all modal)/$(run kmsgpipectl send modal $'a\nb\n')/$(
	field depth_msgs modal)/$(run kmsgpipectl recv modal)"
like "recv waits in a pipe with the default mode eof" "0:/6:*stayed empty*ETIMEDOUT*/5:*EAGAIN*/0:" "$(run timeout 60 cat $modal)/$(
	run kmsgpipectl recv --timeout 50ms modal)/$(run kmsgpipectl recv --nonblock modal)/$(run kmsgpipectl recv --all modal)"
echo hup >"$default_mode"
exec 6<$modal
: >$modal
like "recv waits in a pipe with the default mode hup" "0:/6:*stayed empty*ETIMEDOUT*/5:*EAGAIN*/0:" "$(run timeout 60 cat <&6)/$(
	run kmsgpipectl recv --timeout 50ms modal)/$(run kmsgpipectl recv --nonblock modal)/$(run kmsgpipectl recv --all modal)"
exec 6<&-
echo eof,lines >"$default_mode"
kmsgpipectl recv -n 2 modal >grown &
until [[ $(field readers modal) == 1 ]]; do sleep 0.05; done
kmsgpipectl send modal first
until [[ $(field dequeued_msgs modal) == "$(field enqueued_msgs modal)" ]]; do sleep 0.05; done
kmsgpipectl set-params modal --msg-size 1K
head -c 1000 /dev/zero | tr '\0' x | kmsgpipectl send --whole modal
wait $!
is "recv receives a message whole that is longer than its buffer" "0 2 1007" "$? $(wc -lc <grown | xargs)"
echo whole >"$default_mode"
is "the default mode can be changed in sysfs" "whole opened in the mode whole" \
	"$(kmsgpipectl ioctl modal GET_MODE) $(kmsgpipectl show modal | sed -n 's/^files *//p')"
echo eof,records >"$default_mode"
like "send and recv work in a pipe with the default mode records" \
	"eof,records/0:/0:x/* uid 0 pid [1-9]*: y/6:*stayed empty*ETIMEDOUT*" "$(kmsgpipectl ioctl modal GET_MODE)/$(
	run kmsgpipectl send modal x y)/$(run kmsgpipectl recv modal)/$(kmsgpipectl recv --format short modal)/$(
	run kmsgpipectl recv --format short --timeout 50ms modal)"
kmsgpipectl destroy modal

# Leases.
trust=/dev/kmsgpipe/trust
kmsgpipectl create --name trust --max-msgs 8 >/dev/null
seq 3 | kmsgpipectl send trust
is "recv --ack loses nothing to a reader that ends early" "1/2 3/3" \
	"$(kmsgpipectl recv --ack --follow trust | head -n 1)/$(kmsgpipectl recv --all trust | xargs)/$(field dequeued_msgs trust)"
seq 3 | kmsgpipectl send trust
is "recv --ack acknowledges what was written" "0:1/0:2
3/5:/6 0" "$(run kmsgpipectl recv --ack trust)/$(run kmsgpipectl recv --ack --all --lease 1m trust)/$(
	run kmsgpipectl recv --ack --nonblock trust 2>&1 | cut -c 1-2)/$(field dequeued_msgs trust) $(field depth_msgs trust)"
# stall ARGUMENT...: lets recv write a message to a FIFO that has no reader yet, and sets pid.
mkfifo stalled
exec 7<>stalled
stall() {
	kmsgpipectl recv --ack --follow "$@" trust >stalled 2>said 7<&- &
	pid=$!
	until grep -q 'received-msgs:.1' /proc/$pid/fdinfo/*; do sleep 0.05; done 2>/dev/null
}
# kill_stalled: kills the recv of `stall`.
kill_stalled() {
	kill -9 $pid
	wait $pid
	read -r -t 60 _ <&7
} 2>/dev/null
kmsgpipectl send trust kept
stall --lease 1h
like "peers prints leases" "COMMAND *LEASED*kmsgpipectl *$pid * 1 *" "$(kmsgpipectl peers trust)"
is "a message on trust is queued, and is delivered to nobody" "1/5:" "$(field depth_msgs trust)/$(run kmsgpipectl recv --nonblock trust | cut -c 1-2)"
kill_stalled
stall
like "peers --json prints leases" '*"lease_ms":30000,"leased_msgs":1,*' "$(json peers trust)"
kill_stalled
like "recv --ack gives the message back when it is killed" '* uid 0 pid [1-9]* delivery 3: kept' "$(kmsgpipectl recv --format short trust)"
kmsgpipectl send trust again
stall
kill_stalled
like "recv --json prints how often a message was delivered" '{*"privileged":false,"deliveries":2,"len":5,"data":"again"}' "$(json recv --ack trust)"
kmsgpipectl send trust worn
stall --max-deliveries 2
kill_stalled
stall --max-deliveries 2
kill_stalled
is "recv --max-deliveries drops a message that came back so often" "5:/1" "$(run kmsgpipectl recv --nonblock trust | cut -c 1-2)/$(field dropped_msgs trust)"
kmsgpipectl send trust late
stall --lease 100ms
is "recv --lease gives the message back when the lease ends" "0:late" "$(run kmsgpipectl recv --timeout 60 trust)"
read -r -t 60 _ <&7
until grep -q . said; do sleep 0.05; done
like "recv --ack reports that the lease has ended" "*warning: the lease of message [1-9]* ended before*--lease*" "$(<said)"
kill -9 $pid
wait $pid 2>/dev/null
exec 7>&-
like "recv --ack of a broadcast pipe fails" "2:*EINVAL*a broadcast pipe has no leases*" \
	"$(kmsgpipectl create --name cast --kind broadcast >/dev/null && run kmsgpipectl recv --ack cast)"
kmsgpipectl destroy cast
kmsgpipectl send trust a b c
exec 6<$trust
is "ioctl KMSGPIPE_ATTACH takes a lease" "0:/abc/5:" "$(run kmsgpipectl ioctl - ATTACH group 1h 3 <&6)/$(head -c 3 <&6)/$(
	run kmsgpipectl recv --nonblock trust | cut -c 1-2)"
seq=$(value seq "$(kmsgpipectl stats trust --json)")
is "ioctl KMSGPIPE_NACK gives messages back, KMSGPIPE_ACK consumes them" "0:/0:b/0:/0:c" \
	"$(run kmsgpipectl ioctl - KMSGPIPE_NACK $((seq + 1)) <&6)/$(run kmsgpipectl recv trust)/$(
		run kmsgpipectl ioctl - KMSGPIPE_ACK "$seq-$((seq + 1))" <&6)/$(run kmsgpipectl ioctl - NACK "$((seq + 2))-$((seq + 9))" 0 <&6 | tr -d '\n')$(kmsgpipectl recv trust)"
like "ioctl KMSGPIPE_ACK of messages that the file does not have is ENOENT" "3:*trust*ENOENT*its lease has ended*" "$(run kmsgpipectl ioctl - ACK "$seq" <&6)"
exec 6<&-
kmsgpipectl destroy trust

# doctor.
like "doctor finds no problem" "0:ok *module*ok *version*ok *nodes*ok *permissions*ok *privilege*ok *proc*ok *sysfs*" "$(run kmsgpipectl doctor)"
like "doctor --json prints all checks" '{"schema":1,"ok":true,"checks":\[{"check":"module","status":"ok","found":"*","mend":null,"exit":0},*{"check":"sysfs","status":"ok",*' "$(json doctor)"
like "doctor notes a missing privilege" "0:*note *privilege*CAP_SYS_ADMIN*" "$(nobody kmsgpipectl doctor)"
chmod 600 $node
like "doctor finds a missing permission" "4:*failed *permissions*chmod*" "$(nobody kmsgpipectl doctor)"
chmod 666 $node
mv $node /dev/elsewhere
like "doctor finds a missing node" "3:*failed *nodes*$node*devtmpfs*" "$(run kmsgpipectl doctor)"
mv /dev/elsewhere $node

# Nodes that are missing or cannot be created.
kmsgpipectl create --name gone >/dev/null
kmsgpipectl create --mode 0640 >/dev/null
n1=$(value id "$(json show gone)") n2=$((n1 + 1))
device="c $((16#$(stat -c %t /dev/kmsgpipe/gone))) $n1"
kmsgpipectl send gone kept
rm /dev/kmsgpipe/gone "/dev/kmsgpipe$n2"
like "list shows a pipe whose node is missing" "*gone *$n1 *1 *$n2 *$n2 *0 *" "$(kmsgpipectl list | xargs)"
like "show prints a pipe whose node is missing" "0:pipe *gone*node */dev/kmsgpipe/gone*wrong *nothing is at /dev/kmsgpipe/gone*sent *1 message of 4 bytes*" \
	"$(run kmsgpipectl show gone)"
like "show --json prints a null node if the node is missing" "{*\"id\":$n2,*\"source\":\"sysfs\",\"node\":null}\]}" "$(json show "$n2")"
like "send names the missing node" "3:*/dev/kmsgpipe/gone*ENOENT*its device node does not*doctor*" "$(run kmsgpipectl send gone more)"
like "doctor names the missing node" "3:*failed *nodes *nothing is at /dev/kmsgpipe/gone, nothing is at /dev/kmsgpipe$n2*mknod -m 600 /dev/kmsgpipe/gone $device*" \
	"$(run kmsgpipectl doctor)"
# shellcheck disable=SC2086 # three words
mknod -m 600 /dev/kmsgpipe/gone $device
is "the command that doctor prints restores the node" "0:kept" "$(run kmsgpipectl recv gone)"
rm /dev/kmsgpipe/gone
echo stray >"/dev/kmsgpipe$n2"
like "doctor names the file in the place of the node" "3:*nothing is at /dev/kmsgpipe/gone, a regular file stands at /dev/kmsgpipe$n2*" "$(run kmsgpipectl doctor)"
like "destroy without a node and without privilege fails with EACCES" "4:*EACCES*CAP_SYS_ADMIN*" "$(nobody kmsgpipectl destroy gone)"
is "destroy destroys a pipe without a node, and leaves another file in its place" "0:/0/stray" \
	"$(run kmsgpipectl destroy gone "$n2")/$(find /sys/class/kmsgpipe/ -name 'pipe[1-9]*' | wc -l)/$(cat "/dev/kmsgpipe$n2")"
n3=$((n2 + 1))
mv "/dev/kmsgpipe$n2" "/dev/kmsgpipe$n3"
like "create does not take a file for a node" "1:*a regular file stands at /dev/kmsgpipe$n3*remove*destroyed again/0/stray" \
	"$(run kmsgpipectl create)/$(find /sys/class/kmsgpipe/ -name 'pipe[1-9]*' | wc -l)/$(cat "/dev/kmsgpipe$n3")"
rm "/dev/kmsgpipe$n3"
[[ -d /dev/kmsgpipe ]] || mkdir /dev/kmsgpipe
mkdir /dev/kmsgpipe/dir
ln -s $node /dev/kmsgpipe/link
mknod /dev/kmsgpipe/null c 1 3
mkfifo /dev/kmsgpipe/fifo
is "create does not take a link, a directory or another device for a node" "a directory stands at /dev/kmsgpipe/dir
a symbolic link stands at /dev/kmsgpipe/link
another device stands at /dev/kmsgpipe/null
a FIFO stands at /dev/kmsgpipe/fifo
0" "$(for name in dir link null fifo; do
	run kmsgpipectl create --name $name | grep -oE "\b(a|another) [A-Za-z ]*stands at [a-z/]*"
done
find /sys/class/kmsgpipe/ -name 'pipe[1-9]*' | wc -l)"
rm -r /dev/kmsgpipe
echo stray >/dev/kmsgpipe
like "create fails if a file is in the place of the directory" '{"schema":1,"error":{"errno":null,"message":"*a regular file stands at /dev/kmsgpipe;*destroyed again","exit":1}}' \
	"$(kmsgpipectl --json create --name x 2>&1)"
rm /dev/kmsgpipe
is "create succeeds once the file is removed" "0:/dev/kmsgpipe/x/0:" "$(run kmsgpipectl create --name x)/$(run kmsgpipectl destroy x)"

# Colour.
is "list prints no colour without a terminal" "0" "$(kmsgpipectl list | grep -c $'\33')"
is "--color always prints colour without a terminal" "1" "$(kmsgpipectl --color always list | grep -c $'\33')"
is "list prints colour on a terminal, unless NO_COLOR or TERM=dumb is set" "1 0 0" "$(for colour in TERM=xterm NO_COLOR=1 TERM=dumb; do
	env -u NO_COLOR TERM=xterm "$colour" script -qec 'kmsgpipectl list' /dev/null | grep -c $'\33'
done | xargs)"

is "each line printed with --json is JSON of schema 1" "ok" "$(python3 -c 'import json, sys
print("ok" if all(json.loads(line)["schema"] == 1 for line in sys.stdin) else "another schema")' <all.json)"
if [[ -n $LAB_MODULE ]]; then
	rmmod kmsgpipe
	like "without the module, an error says how to load it" "3:*modprobe*" "$(run kmsgpipectl list)"
	like "without the module, doctor says how to load it" "3:failed *module*insmod*" "$(run kmsgpipectl doctor)"
	like "without the module, --json prints the error as JSON" '3:*"exit":3*' "$(run kmsgpipectl --json stats 0)"
	insmod "$LAB_MODULE"
else
	skip "without the module, an error says how to load it" "the module is built in"
	skip "without the module, doctor says how to load it" "the module is built in"
	skip "without the module, --json prints the error as JSON" "the module is built in"
fi
finish
