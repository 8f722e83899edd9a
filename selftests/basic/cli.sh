#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# kmsgpipectl on a real pipe: every command, its output for people and for programs, and its
# exit status.
set -u
. "$(dirname "$0")/ktap.sh"
node=/dev/kmsgpipe0
cd "$LAB_WORK" || exit 1

# run COMMAND...: "STATUS:OUTPUT", both outputs.
run() {
	local output status
	output=$("$@" 2>&1)
	status=$?
	printf '%s:%s' "$status" "$output"
}

# nobody COMMAND...: the same without privilege.
nobody() { run setpriv --reuid 1000 --regid 1000 --clear-groups "$@"; }

# value NAME JSON: the first number of that name. In the shell, as python takes 20 s to start on the debug kernel.
value() { [[ $2 =~ \"$1\":([0-9]+) ]] && echo "${BASH_REMATCH[1]}"; }

# field NAME PIPE: one of the statistics.
field() { value "$1" "$(kmsgpipectl stats "$2" --json)"; }

# json ARGUMENT...: what the tool says with --json, which is kept to be looked at in the end.
json() { kmsgpipectl --json "$@" | tee -a all.json; }

# offered WORD...: what completion in bash offers for the last word.
offered() {
	# shellcheck disable=SC2016 # expanded by the other shell
	bash -c 'eval "$(kmsgpipectl completions bash)"
		COMP_WORDS=(kmsgpipectl "$@") COMP_CWORD=$#
		"$(complete -p kmsgpipectl | sed "s/.*-F \([^ ]*\).*/\1/")" kmsgpipectl "${@: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
		echo "${COMPREPLY[*]}"' bash "$@"
}

is "send and receive a message" "0:/0:hello" "$(run kmsgpipectl send 0 hello)/$(run kmsgpipectl recv 0)"
is "pipes have three names" "0:a0:b0:c" "$(kmsgpipectl send 0 a && kmsgpipectl send kmsgpipe0 b && kmsgpipectl send $node c &&
	run kmsgpipectl recv $node && run kmsgpipectl recv kmsgpipe0 && run kmsgpipectl recv 0)"
is "an argument is a message" "0:one
two words" "$(kmsgpipectl send 0 one 'two words' && run kmsgpipectl recv -n 2 0)"
is "a line of standard input is a message" "0:1
2
3" "$(seq 3 | kmsgpipectl send 0 && run kmsgpipectl recv -n 3 0)"
is "NUL-terminated messages" "a,b
c," "$(printf 'a\0b\nc\0' | kmsgpipectl send --null 0 && kmsgpipectl recv -n 2 --null 0 | tr '\0' ,)"
is "the whole input as one message" "4:a
b" "$(printf 'a\nb\n' | kmsgpipectl send --whole 0 && field depth_bytes 0 | tr '\n' : &&
	kmsgpipectl recv --raw 0)"
head -c 200 /dev/urandom >binary
# spec: 3-raw-bytes
is "binary messages pass unchanged" "$(sha256sum <binary)" "$(kmsgpipectl send --whole 0 <binary && kmsgpipectl recv --raw 0 | sha256sum)"
is "length-prefixed messages come back as they went" "$(printf '\003\0\0\0abc\001\0\0\0d' | sha256sum)" \
	"$(printf '\003\0\0\0abc\001\0\0\0d' | kmsgpipectl send --length-prefixed 0 && kmsgpipectl recv -n 2 --length-prefixed 0 | sha256sum)"
like "received messages as JSON" '{"schema":1,"seq":*,"age_ns":*,"monotonic_ns":*,"realtime_ns":1??????????????????,"uid":0,"gid":0,"pid":[1-9]*,"privileged":false,"len":2,"data":"é"}?{"schema":1,"seq":*,"privileged":false,"len":1,"data_hex":"ff"}' "$(printf 'é' | kmsgpipectl send --whole 0 && printf '\377' | kmsgpipectl send --whole 0 && json recv -n 2 0)"

like "an empty pipe, not waiting" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl recv --nonblock 0)"
like "an empty pipe, waiting for a while" "6:*kmsgpipe0*" "$(run kmsgpipectl recv --timeout 50ms 0)"
is "what came before the time was up is printed" "6:only" \
	"$(kmsgpipectl send 0 only && run kmsgpipectl recv -n 2 --timeout 50ms 0 | head -n 1)"
for _ in $(seq 128); do echo fill; done | kmsgpipectl send 0
like "a full pipe, not waiting" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl send --nonblock 0 more)"
like "a full pipe, waiting for a while" "6:*kmsgpipe0*" "$(run kmsgpipectl send --timeout 50ms 0 more)"
is "clear" "0:" "$(run kmsgpipectl clear 0 | sed 's/:.*/:/')"
is "and then nothing is left" "0" "$(field depth_msgs 0)"

like "a message too long names its length and the limit" "1:*257*256*" \
	"$(head -c 257 /dev/zero | run kmsgpipectl send --whole 0)"
long=$(head -c 300 /dev/zero | tr '\0' x)
# three ARGUMENT...: sends three lines, of which the second is too long, and says what arrived.
three() {
	printf 'a\n%s\nb\n' "$long" | run kmsgpipectl send 0 "$@"
	kmsgpipectl recv --all 0 | awk '{printf "/%s", (length($0) > 1 ? length($0) : $0)}'
}
like "a message too long ends the command" "1:*message 2: *300*256*1 message was sent before it/a" "$(three)"
like "or is skipped" "0:*message 2 of 300 bytes*skipped/a/b" "$(three --too-long skip)"
like "or is cut" "0:*message 2 of 300 bytes*cut to 256/a/256/b" "$(three --too-long cut)"
is "how many were cut, as JSON" \
	'{"schema":1,"pipe":"kmsgpipe0","sent_msgs":3,"sent_bytes":513,"empty_msgs":0,"skipped_msgs":0,"cut_msgs":2}' \
	"$(json send --too-long cut 0 "$long" a "$long" 2>said)"
is "and told at the end" "2 messages were too long and were cut" "$(sed -n '2s/.*warning: //p' said)"
kmsgpipectl clear 0
like "an empty message is skipped, visibly" "0:*empty*" "$(printf '\n' | run kmsgpipectl send 0)"

like "list" "0:PIPE  ID  DEPTH*EXPIRY*DEQUEUED?0 *" "$(run kmsgpipectl list)"
is "list is the default" "$(kmsgpipectl list)" "$(kmsgpipectl)"
like "list as JSON" '{"schema":1,"pipes":\[{"pipe":"kmsgpipe0","path":"/dev/kmsgpipe0",*"id":0,*"msg_size":256,"max_msgs":128,*}\]}' "$(json list)"
kmsgpipectl send 0 12345
stats=$(json stats 0)
like "statistics as JSON show the sender" '*"depth_msgs":1,*"head":{"seq":*,"age_ns":*,"len":5,"uid":0,"gid":0,"pid":[1-9]*}*' "$stats"
is "statistics keep their account" "ok ok" "$(for u in msgs bytes; do
	(($(value enqueued_$u "$stats") == $(value dequeued_$u "$stats") + $(value expired_$u "$stats") + $(value dropped_$u "$stats") + $(value depth_$u "$stats"))) && echo ok
done | xargs)"
like "statistics for people" "0:*depth*" "$(run kmsgpipectl stats 0)"
kmsgpipectl clear 0

like "clear without privilege" "4:*kmsgpipe0*EPERM*" "$(nobody kmsgpipectl clear 0)"
like "errors as JSON" '4:*"errno":"EPERM"*' "$(nobody kmsgpipectl --json clear 0)"
chmod 600 $node
like "no permission says whose pipe it is" "4:*kmsgpipe0*EACCES*0600*1000*parameter*mode*" "$(nobody kmsgpipectl recv --nonblock 0)"
chmod 666 $node

# A reader that excludes others, for as long as this shell holds the other end of its standard input.
mkfifo opened held
# shellcheck disable=SC2016 # perl's variables
setpriv --reuid 1000 --regid 1000 --clear-groups perl -MFcntl -e 'sysopen(my $pipe, $ARGV[0], O_RDWR | O_EXCL) or die;
	syswrite(STDOUT, "x"); readline(STDIN)' $node <held >opened &
exec 6>held
read -r -N 1 _ <opened
like "another reader excludes this one" "1:*kmsgpipe0*EBUSY*excludes others*" "$(nobody kmsgpipectl recv --nonblock 0)"
like "and statistics are those of a writer" "0:*readers *1
writers *1
*" "$(nobody kmsgpipectl stats 0)"
chmod 644 $node
like "or tell what is in the way" "1:*kmsgpipe0*EBUSY*excludes others*" "$(nobody kmsgpipectl stats 0)"
chmod 666 $node
exec 6>&-
wait

like "no such pipe" "3:*kmsgpipe7*" "$(run kmsgpipectl stats 7)"
like "not a pipe" "[37]:*null*" "$(run kmsgpipectl send /dev/null x)"
like "bad usage" "2:*" "$(run kmsgpipectl recv --count x 0)"
like "completions" "0:*kmsgpipectl*" "$(run kmsgpipectl completions bash)"
is "completion offers the pipes that there are" "0" "$(offered recv "")"
is "completion offers the modes that there are" "none whole eof lines records" "$(offered create --default-mode "")"
is "and the formats" "short iso verbose" "$(offered recv --format "")"
is "and the requests" "KMSGPIPE_SET_PARAMS KMSGPIPE_SET_MODE" "$(offered ioctl 0 KMSGPIPE_SET_)"
is "a closed pipe ends it quietly" "x:" "$(seq 20 | kmsgpipectl send 0 && kmsgpipectl recv -f 0 2>errors | head -n 1 >first &&
	sed 's/1/x/' first | tr '\n' : && cat errors)"
kmsgpipectl clear 0
kmsgpipectl send 0 kept
like "a closed standard output is refused before a message is taken" "1:*EBADF*closed*/1" \
	"$(run sh -c 'kmsgpipectl recv 0 >&-')/$(field depth_msgs 0)"
is "one that nobody reads is not" "0:/0" "$(run sh -c 'kmsgpipectl recv 0 >/dev/null')/$(field depth_msgs 0)"
is "recv --all empties the pipe, and then finds nothing" "0:1
2
3/0:" "$(seq 3 | kmsgpipectl send 0 && run kmsgpipectl recv --all 0)/$(run kmsgpipectl recv --all 0)"
mkfifo gone
seq 3 | kmsgpipectl send 0
exec 7<>gone
exec 8>gone 7<&-
kmsgpipectl recv -f 0 >&8
is "no message is taken when the reader of the output has gone" "141 3" "$? $(field depth_msgs 0)"
exec 8>&-
is "so many messages, and the rest stays" "1 2" "$(kmsgpipectl recv --count 1 0 | head -n 1) $(field depth_msgs 0)"
kmsgpipectl clear 0

# Pipes made, named, changed and destroyed. Their numbers follow one another.
n0=$(kmsgpipectl ioctl 0 CREATE_NEW)
kmsgpipectl destroy "$n0"
n1=$((n0 + 1)) n2=$((n0 + 2)) n3=$((n0 + 3)) n4=$((n0 + 4)) n5=$((n0 + 5)) n6=$((n0 + 6)) n7=$((n0 + 7))
n8=$((n0 + 8)) n9=$((n0 + 9))
is "create prints the node" "0:/dev/kmsgpipe$n1" "$(run kmsgpipectl create)"
is "create with everything" "0:/dev/kmsgpipe/log/640 1000 1001/c" \
	"$(run kmsgpipectl create --name log --msg-size 1K --max-msgs 16 --mode 0640 --owner 1000:1001)/$(stat -c '%a %u %g/%A' /dev/kmsgpipe/log | cut -c 1-15)"
is "create for names of users and groups" "0:/dev/kmsgpipe$n3/0 4" \
	"$(run kmsgpipectl create --owner root:adm)/$(stat -c '%u %g' "/dev/kmsgpipe$n3")"
is "create for a group, as JSON" "0:{\"schema\":1,\"id\":$n4,\"node\":\"/dev/kmsgpipe/j.s-o_n\",\"name\":\"j.s-o_n\"}/600 0 7" \
	"0:$(json create --name j.s-o_n --group 7)/$(stat -c '%a %u %g' /dev/kmsgpipe/j.s-o_n)"
is "a pipe goes by its name and by its number" "1 2 3 4 5 6" "$(
	kmsgpipectl send log 1 2 3 && kmsgpipectl send "$n2" 4
	kmsgpipectl send /dev/kmsgpipe/log 5 && kmsgpipectl send "pipe$n2" 6
	echo "$(kmsgpipectl recv log)" "$(kmsgpipectl recv "$n2")" "$(kmsgpipectl recv "kmsgpipe$n2")" "$(kmsgpipectl recv "pipe$n2")" \
		"$(kmsgpipectl recv log)" "$(kmsgpipectl recv /dev/kmsgpipe/log)"
)"
kmsgpipectl create --name "$n1" >/dev/null
kmsgpipectl create --name "pipe$n1" >/dev/null
kmsgpipectl create --name "kmsgpipe-$n1" >/dev/null
is "digits are a number, and other names are told by their paths" "$n1 $n1 $n1 $n5 $n6 $n7 $n7" "$(
	for pipe in "$n1" "pipe$n1" "kmsgpipe$n1" "/dev/kmsgpipe/$n1" "/dev/kmsgpipe/pipe$n1" "kmsgpipe-$n1" "/dev/kmsgpipe/kmsgpipe-$n1"; do
		field id "$pipe"
	done | xargs)"
is "list shows what each goes by" \
	"0 0,$n1 $n1,log $n2,$n3 $n3,j.s-o_n $n4,/dev/kmsgpipe/$n1 $n5,/dev/kmsgpipe/pipe$n1 $n6,kmsgpipe-$n1 $n7," \
	"$(kmsgpipectl list | tail -n +2 | awk '{print $1, $2}' | tr '\n' ,)"
kmsgpipectl destroy "/dev/kmsgpipe/$n1" "/dev/kmsgpipe/pipe$n1" "kmsgpipe-$n1"
like "list shows what may not be opened" "*\"pipe\":\"kmsgpipe$n1\",*\"name\":null,\"id\":$n1,*\"source\":\"sysfs\"*\"pipe\":\"log\",*\"name\":\"log\",\"id\":$n2,*\"msg_size\":1024,\"max_msgs\":16,*\"source\":\"ioctl\"*\"id\":$n3,*\"source\":\"sysfs\"*" \
	"$(nobody kmsgpipectl list --json)"
like "show" "0:pipe *log*node */dev/kmsgpipe/log*number *$n2*mode *0640*owner *1000*group *1001*16 messages of at most 1024 bytes*expiry *never*oldest *none*sent *6 messages of 6 bytes*" \
	"$(run kmsgpipectl show log)"
like "show as JSON" '{"schema":1,"pipes":\[{*"name":"log",*"source":"ioctl","node":{"mode":"0640","uid":1000,"gid":1001,"major":[1-9]*,"minor":'"$n2"'}}\]}' "$(json show log)"
like "show what may not be opened" "0:*kmsgpipe$n3*sent *0 messages*" "$(nobody kmsgpipectl show "$n3")"
like "statistics of what may not be opened" "4:*kmsgpipe$n3*EACCES*0600*create --mode*" "$(nobody kmsgpipectl stats "$n3")"
like "create with a name that is in use" "1:*EEXIST*list*" "$(run kmsgpipectl create --name log)"
like "create with a bad name" "2:*letters*" "$(run kmsgpipectl create --name 'l g')"
like "create beyond a limit names it" "2:*EINVAL*65 messages of 1048576 bytes are 68157440*max_bytes*67108864*" \
	"$(run kmsgpipectl create --msg-size 1MB --max-msgs 65)"
like "create without privilege" "4:*EPERM*CAP_SYS_ADMIN*sudo*" "$(nobody kmsgpipectl create)"

is "set-params changes what it is told" "0:/64 16/0:/64 65536" \
	"$(run kmsgpipectl set-params log --msg-size 64)/$(field msg_size log) $(field max_msgs log)/$(
	run kmsgpipectl set-params log --max-msgs 64K)/$(field msg_size log) $(field max_msgs log)"
is "set-params as JSON" '{"schema":1,"pipe":"log","msg_size":128,"max_msgs":8}' \
	"$(json set-params log --msg-size 128 --max-msgs 8)"
kmsgpipectl send log x
like "set-params of a pipe that is not empty" "1:*EBUSY*clear*" "$(run kmsgpipectl set-params log --msg-size 1)"
kmsgpipectl clear log
like "set-params beyond a limit names it" "2:*it is 1 to 1048576 bytes*" "$(run kmsgpipectl set-params log --msg-size 2M)"
like "set-params without privilege" "4:*EPERM*" "$(nobody kmsgpipectl set-params 0 --msg-size 1)"

is "flush enable" "0:/250 2000/0:/1000 10000" "$(run kmsgpipectl flush enable log --interval 250ms --expiry 2)/$(
	field flush_interval_ms log) $(field flush_expiry_ms log)/$(run kmsgpipectl flush enable log)/$(
	field flush_interval_ms log) $(field flush_expiry_ms log)"
is "flush enable as JSON" '{"schema":1,"pipe":"log","enabled":true,"interval_ms":1000,"expiry_ms":60000}' \
	"$(json flush enable log --expiry 1m)"
like "show tells when messages expire" "*expiry *after 1m, looked for every 1s*" "$(kmsgpipectl show log)"
is "list tells it in short" "- 1m" "$(kmsgpipectl list | awk '$1 == "0" || $1 == "log" {print $7}' | xargs)"
is "list in 40 columns" "PIPE DEPTH MAX MSGSIZE EXPIRY" "$(COLUMNS=40 kmsgpipectl list | head -n 1 | xargs)"
is "what is for people fits 40 and 80 columns" "" "$(for columns in 40 80; do
	export COLUMNS=$columns
	{
		kmsgpipectl list && kmsgpipectl watch -n 1 && kmsgpipectl show log && kmsgpipectl stats log
	} | awk -v columns="$columns" 'length > columns'
done)"
kmsgpipectl flush enable log --interval 50ms --expiry 100ms
kmsgpipectl send log old
until [[ $(field expired_msgs log) == 1 ]]; do sleep 0.05; done
like "an old message is gone" "5:*EAGAIN*/1" "$(run kmsgpipectl recv --nonblock log)/$(field expired_msgs log)"
is "flush disable" "0:/0 0" "$(run kmsgpipectl flush disable log)/$(field flush_interval_ms log) $(field flush_expiry_ms log)"
like "flush without privilege" "4:*EPERM*" "$(nobody kmsgpipectl flush enable 0)"

# Messages looked at.
printf 'a\n\033[31m\134' | setpriv --reuid 1000 --regid 1001 --clear-groups kmsgpipectl send --whole 0
printf 'gr\303\274n\377' | kmsgpipectl send --whole 0
like "dump shows who sent what, and does nothing to a terminal" '0:SEQ*AGE*UID*LEN*DATA*s  1000  1001 *a\\n\\u{1b}\[31m\\\\*  grün\\xff' \
	"$(run kmsgpipectl dump 0)"
like "dump in hexadecimal" "0:*61 0a 1b 5b 33 31 6d 5c *|a..?31m?|*" "$(run kmsgpipectl dump --hex 0)"
like "dump as JSON" '{"schema":1,"pipe":"kmsgpipe0","path":"/dev/kmsgpipe0","missing":0,"records":\[{"seq":*,"age_ns":*,"monotonic_ns":*,"realtime_ns":1?????????*,"uid":1000,"gid":1001,"pid":*,"len":8,"data":"a\\n\\u001b\[31m\\\\"},{*"len":6,"data_hex":"6772c3bc6eff"}\]}' \
	"$(json dump 0)"
like "dump as JSON in hexadecimal" '*"data_hex":"610a1b5b33316d5c"*' "$(json dump 0 --hex)"
is "and leaves the messages there" "2" "$(field depth_msgs 0)"
kmsgpipectl clear 0
nobody sh -c 'echo lent >&3' 3>/dev/kmsgpipe0 >/dev/null
like "dump marks who had other ids than those shown" '0:SEQ*  1000\*  1000  *lent*' "$(run kmsgpipectl dump 0)"
like "also as JSON" '*"uid":1000,"gid":1000,"pid":*,"privileged":true,"len":5,*' "$(json dump 0)"
like "and show says so" '*oldest *by uid 1000, gid 1000, pid *, privileged*' "$(kmsgpipectl show 0)"
kmsgpipectl clear 0
seq 128 | kmsgpipectl send 0
is "dump of a full pipe" "0:$(seq 128)" "$(run kmsgpipectl dump 0 | awk '{if (NR > 1) print $NF; else printf "0:"}')"
kmsgpipectl clear 0
like "dump without privilege" "4:*EPERM*" "$(nobody kmsgpipectl dump 0)"

# Messages received with what is known of them.
before=$EPOCHSECONDS
kmsgpipectl send 0 one two
one=$(json recv 0)
two=$(json recv 0)
is "what is received as JSON has numbers and times" "1 ok ok" "$(($(value seq "$two") - $(value seq "$one"))) $(
	sent=$(($(value realtime_ns "$one") / 1000000000))
	((before - 1 <= sent && sent <= EPOCHSECONDS)) && echo ok) $(
	(($(value age_ns "$two") > 0 && $(value monotonic_ns "$one") <= $(value monotonic_ns "$two"))) && echo ok)"
# when FORMAT: when the oldest message was sent, as date(1) writes it.
when() {
	local ns
	ns=$(value realtime_ns "$(json dump 0)")
	LC_ALL=C date -d "@${ns::-9}.${ns: -9}" "+$1"
}
setpriv --reuid 1000 --regid 1001 --clear-groups kmsgpipectl send --count 4 0 $'a\n\33[31m\\' &
pid=$!
wait $pid
export TZ=IST-5:30
is "--format short tells local time and sender, and does nothing to a terminal" \
	"0:$(when '%b %d %T.%6N') uid 1000 pid $pid: a\\n\\u{1b}[31m\\\\" "$(run kmsgpipectl recv --format short 0)"
is "--format iso tells the date, and the offset from UTC" \
	"0:$(when '%Y-%m-%dT%T.%6N+05:30') uid 1000 pid $pid: a\\n\\u{1b}[31m\\\\" "$(run kmsgpipectl recv --format iso 0)"
is "--format verbose tells everything" \
	"realtime=$(when '%Y-%m-%dT%T.%6N+05:30') uid=1000 gid=1001 pid=$pid privileged=no priority=0 deliveries=1 lost=0 len=8 data=a\\n\\u{1b}[31m\\\\ = " \
	"$(kmsgpipectl recv --format verbose 0 | awk '$1 !~ /^(seq|monotonic|age)$/ {printf "%s=%s ", $1, $2}')"
unset TZ
like "so does JSON" '{"schema":1,*"uid":1000,"gid":1001,"pid":'$pid',"privileged":false,"len":8,"data":"a\\n\\u001b\[31m\\\\"}' "$(json recv 0)"
nobody sh -c 'echo lent >&3; echo lent >&3' 3>$node >/dev/null
like "a sender who had other ids than those shown is marked" '* uid 1000\* pid [1-9]*: lent\\n/*"uid":1000,"gid":1000,"pid":*,"privileged":true,"len":5,*' \
	"$(kmsgpipectl recv --format short 0)/$(json recv 0)"
is "each is received alone, however long it is and whatever follows" "4 3 2 1 0" "$({
	kmsgpipectl send 0 a "${long::200}" b c "${long::73}"
	for _ in 1 2 3 4 5; do
		json recv 0 >/dev/null
		field depth_msgs 0
	done
} | xargs)"
is "recv --all --format empties the pipe, and then finds nothing" "1 2 3/0:" \
	"$(seq 3 | kmsgpipectl send 0 && kmsgpipectl recv --all --format short 0 | sed 's/.*: //' | xargs)/$(run kmsgpipectl --json recv --all 0)"
like "an empty pipe, not waiting, and waiting for a while" '5:{"schema":1,"error":{"errno":"EAGAIN",*"exit":5}}/6:*kmsgpipe0*ETIMEDOUT*' \
	"$(run kmsgpipectl recv --json --nonblock 0)/$(run kmsgpipectl recv --format iso --timeout 50ms 0)"

# Pipes watched.
is "watch shows a line each time" "PIPE 0 0 - 0" \
	"$(kmsgpipectl watch 0 -n 2 -i 100ms | awk '{print $2; rate = rate " " $7} END {print rate}' | xargs | sed 's/ SENT.S//')"
like "with the time, several pipes in blocks" "TIME *PIPE *?[0-2][0-9]:[0-5][0-9]:[0-6][0-9]  0 *?[0-2]*  log *??[0-2]*  0 *?[0-2]*  log *" \
	"$(kmsgpipectl watch 0 log -n 2 -i 100ms)"
mkfifo ticks
kmsgpipectl --json watch -i 100ms 0 >ticks &
exec 5<ticks
read -r first <&5
# It looks neither between these two nor while they last, however slow the machine is.
kill -STOP $!
kmsgpipectl send 0 12345 && kmsgpipectl recv 0 >/dev/null
kill -CONT $!
until read -r second <&5 && [[ $second != *'"delta":{"enqueued_msgs":0,'* ]]; do :; done
exec 5<&-
printf '%s\n' "$first" "$second" >>all.json
like "watch as JSON begins with nothing" '{"schema":1,"realtime_ns":1??????????????????,"elapsed_ns":null,"pipes":\[{"pipe":"kmsgpipe0",*"delta":null}\]}' "$first"
like "watch as JSON tells what has happened meanwhile" '{"schema":1,"realtime_ns":1??????????????????,"elapsed_ns":[1-9]????????*,*"delta":{"enqueued_msgs":1,"enqueued_bytes":5,"dequeued_msgs":1,*"dropped_msgs":0,*}}\]}' "$second"
is "watch ends when nobody reads it" "PIPE 0 141" "$({
	kmsgpipectl watch 0 -i 50ms
	echo $? >status
} 2>&1 | head -n 2 | awk '{print $2}' | xargs) $(cat status)"
# The shell lets nothing in the background hear of an interrupt.
env --default-signal=INT kmsgpipectl watch -i 100ms 0 >watched &
until [[ -s watched ]]; do sleep 0.05; done
kill -INT $!
wait $!
is "watch ends when it is interrupted" "130" "$?"
is "and its lines are whole" "1" "$(awk '{print NF}' watched | sort -u | wc -l)"

# Requests by their names.
kmsgpipectl send 0 'system ready'
# spec: 10-get-stats
like "ioctl KMSGPIPE_GET_STATS" "0:id *0*depth_msgs *1*head_len *12*" "$(run kmsgpipectl ioctl $node KMSGPIPE_GET_STATS)"
# spec: 10-clear-queue
is "ioctl KMSGPIPE_CLEAR_QUEUE" "0:/0" "$(run kmsgpipectl ioctl $node KMSGPIPE_CLEAR_QUEUE)/$(field depth_msgs 0)"
# spec: 10-flush-periodic
is "ioctl KMSGPIPE_FLUSH_PERIODIC enable" "0:/1000 10000" "$(run kmsgpipectl ioctl $node KMSGPIPE_FLUSH_PERIODIC enable)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)"
is "ioctl KMSGPIPE_FLUSH_PERIODIC with times, and disable" "0:/500 60000/0:/0 0" "$(run kmsgpipectl ioctl 0 flush_periodic enable 500ms 1m)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)/$(run kmsgpipectl ioctl 0 flush_periodic disable)/$(
	field flush_interval_ms 0) $(field flush_expiry_ms 0)"
is "ioctl KMSGPIPE_GET_PARAMS, KMSGPIPE_SET_PARAMS" "0:msg_size  256
max_msgs  128/0:/0:msg_size  512
max_msgs  4" "$(run kmsgpipectl ioctl 0 GET_PARAMS)/$(run kmsgpipectl ioctl 0 SET_PARAMS 512 4)/$(run kmsgpipectl ioctl 0 get_params)"
like "the kernel judges what a request takes" "2:*EINVAL*msg_size is 1 to 1048576 bytes, and not 0" "$(run kmsgpipectl ioctl 0 SET_PARAMS 0 0)"
kmsgpipectl ioctl 0 SET_PARAMS 256 128
is "ioctl KMSGPIPE_CREATE_NEW prints the number, KMSGPIPE_DESTROY" "0:$n8/0:$n9/600 64 32/0:/0:" \
	"$(run kmsgpipectl ioctl 0 CREATE_NEW)/$(run kmsgpipectl ioctl 0 CREATE_NEW 64 32 0 made)/$(stat -c %a /dev/kmsgpipe/made) $(field msg_size made) $(
	field max_msgs made)/$(run kmsgpipectl ioctl "$n8" DESTROY)/$(run kmsgpipectl ioctl made DESTROY)"
exec 6<>$node
is "ioctl KMSGPIPE_TOGGLE_BLOCK of an open file" "0:O_NONBLOCK  on/4002/0:O_NONBLOCK  off/0002" "$(run kmsgpipectl ioctl - TOGGLE_BLOCK <&6)/$(
	awk '/flags/ {print substr($2, length($2) - 3)}' /proc/$$/fdinfo/6)/$(run kmsgpipectl ioctl - TOGGLE_BLOCK <&6)/$(
	awk '/flags/ {print substr($2, length($2) - 3)}' /proc/$$/fdinfo/6)"
is "ioctl FIONBIO of an open file" "0:O_NONBLOCK  on/0:O_NONBLOCK  off" \
	"$(run kmsgpipectl ioctl - FIONBIO 1 <&6)/$(run kmsgpipectl ioctl - FIONBIO 0 <&6)"
exec 6>&-
is "ioctl FIONREAD" "0:0/0:5" "$(run kmsgpipectl ioctl 0 FIONREAD)/$(kmsgpipectl send 0 12345 678 && run kmsgpipectl ioctl 0 FIONREAD)"
like "ioctl KMSGPIPE_DUMP" "0:*12345*678*" "$(run kmsgpipectl ioctl 0 KMSGPIPE_DUMP)"
like "ioctl KMSGPIPE_DUMP into little memory" "0:*12345*1 message did not fit*" "$(run kmsgpipectl ioctl 0 DUMP 72)"
is "ioctl as JSON" '{"schema":1,"pipe":"kmsgpipe0","request":"KMSGPIPE_GET_PARAMS","returned":0,"data":{"msg_size":256,"max_msgs":128}}' "$(json ioctl 0 GET_PARAMS)"
like "ioctl KMSGPIPE_DUMP as JSON" '*"data":{"missing":1,"records":\[{*"data":"12345"}\]}}' "$(json ioctl 0 DUMP 72)"
kmsgpipectl clear 0
like "ioctl without privilege" "0:msg_size*4:*EPERM*" "$(nobody kmsgpipectl ioctl 0 GET_PARAMS)$(nobody kmsgpipectl ioctl 0 CLEAR_QUEUE)"
like "a request that there is not" "2:*KMSGPIPE_FROB*KMSGPIPE_GET_STATS*KMSGPIPE_DUMP*" "$(run kmsgpipectl ioctl 0 KMSGPIPE_FROB)"

# Pipes destroyed.
kmsgpipectl create --name spare >/dev/null
kmsgpipectl recv log >received 2>&1 &
until [[ $(field readers log) == 1 ]]; do sleep 0.05; done
is "destroy several" "0:/dev/kmsgpipe/j.s-o_n" "$(run kmsgpipectl destroy log /dev/kmsgpipe/spare)$(
	find /dev/kmsgpipe -type c)"
wait $!
like "who waited is told" "3:*ENODEV*destroyed*" "$?:$(cat received)"
is "destroy as JSON" "{\"schema\":1,\"destroyed\":[{\"pipe\":\"kmsgpipe$n3\",\"path\":\"/dev/kmsgpipe$n3\",\"id\":$n3}]}" "$(json destroy "$n3")"
like "destroy what is there, and tell of the rest" "3:*/dev/kmsgpipe/log*ENOENT*/gone" \
	"$(run kmsgpipectl destroy log j.s-o_n)/$(ls /dev/kmsgpipe/j* 2>/dev/null || echo gone)"
like "pipe 0 stays" "1:*EBUSY*rmmod*" "$(run kmsgpipectl destroy 0)"
chmod 666 "/dev/kmsgpipe$n1"
like "destroy without privilege" "4:*EPERM*" "$(nobody kmsgpipectl destroy "$n1")"
for i in $(seq 50); do echo "many$i" >/sys/class/kmsgpipe/create; done
is "many pipes" "53 53/0:/3" "$(kmsgpipectl list | wc -l) $(nobody kmsgpipectl list | grep -c .)/$(
	# shellcheck disable=SC2046 # one word a name
	run kmsgpipectl destroy $(seq -f many%.0f 50))/$(kmsgpipectl list | wc -l)"
kmsgpipectl destroy "$n1"

# Modes of open files.
modal=/dev/kmsgpipe/modal
is "create with a default mode" "0:$modal" "$(run kmsgpipectl create --name modal --default-mode lines,eof)"
default_mode=/sys/class/kmsgpipe/pipe$(field id modal)/default_mode
like "create with a mode that there is not" "2:*eof,hup*none, or some of whole, eof, lines, records *" \
	"$(run kmsgpipectl create --default-mode eof,hup)"
like "or with modes that do not go together" "2:*\"records,whole\"*records goes with eof alone*" \
	"$(run kmsgpipectl create --default-mode records,whole)"
is "show tells in which mode files are opened" "opened in no mode/opened in the mode eof,lines" \
	"$(kmsgpipectl show 0 | sed -n 's/^files *//p')/$(kmsgpipectl show modal | sed -n 's/^files *//p')"
like "list tells it as JSON" '*"id":0,*"default_mode":"none","source":"ioctl"},*"name":"modal",*"default_mode":"eof,lines","source":"ioctl"}\]}' \
	"$(json list)"
like "show tells it as JSON, of what may not be opened, too" '0:*"default_mode":"eof,lines","source":"sysfs","node":{"mode":"0600",*' \
	"$(nobody kmsgpipectl --json show modal)"
is "ioctl KMSGPIPE_GET_MODE of a file that was just opened" "0:eof,lines/0:none" \
	"$(run kmsgpipectl ioctl modal KMSGPIPE_GET_MODE)/$(nobody kmsgpipectl ioctl 0 get_mode)"
is "ioctl KMSGPIPE_GET_MODE as JSON" '{"schema":1,"pipe":"modal","request":"KMSGPIPE_GET_MODE","returned":0,"data":{"mode":"eof,lines"}}' \
	"$(json ioctl modal GET_MODE)"
exec 6<>$modal
is "ioctl KMSGPIPE_SET_MODE changes one open file" "0:/0:whole,lines/0:eof,lines" "$(run kmsgpipectl ioctl - KMSGPIPE_SET_MODE lines,whole <&6)/$(
	run kmsgpipectl ioctl - GET_MODE <&6)/$(run kmsgpipectl ioctl modal GET_MODE)"
like "ioctl KMSGPIPE_SET_MODE of a file that keeps the beginning of a line" "1:*$modal*EBUSY*the beginning of a line*/0:whole,lines/0:/0:begun" "$(
	printf begun >&6
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl ioctl - GET_MODE <&6)/$(
	echo >&6
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl recv modal)"
/usr/bin/printf 'one\ntwo\n' >&6
head -c 2 <&6 >piece
like "or the rest of a message" "1:*$modal*EBUSY*the rest of a message*/0:6/0:/0:none" "$(run kmsgpipectl ioctl - SET_MODE eof <&6)/$(
	run kmsgpipectl ioctl - FIONREAD <&6)/$(
	head -c 6 <&6 >piece
	run kmsgpipectl ioctl - SET_MODE none <&6
)/$(run kmsgpipectl ioctl - GET_MODE <&6)"
is "ioctl KMSGPIPE_SET_MODE for records" "0:/0:eof,records" \
	"$(run kmsgpipectl ioctl - SET_MODE records,eof <&6)/$(run kmsgpipectl ioctl - GET_MODE <&6)"
exec 6>&-
is "ioctl KMSGPIPE_SET_MODE needs no privilege" "0:" "$(nobody kmsgpipectl ioctl 0 SET_MODE whole)"
like "a mode that there is not, as JSON" '2:*KMSGPIPE_SET_MODE: \\"hup\\" is not a mode *"exit":2}}' "$(run kmsgpipectl --json ioctl 0 SET_MODE hup)"
printf 'a\nb\n' >$modal
is "where each line is a message, a message that is sent stays one" "2/0:a
b/0:/1/0:a
b" "$(field depth_msgs modal)/$(run kmsgpipectl recv --all modal)/$(run kmsgpipectl send modal $'a\nb\n')/$(
	field depth_msgs modal)/$(run kmsgpipectl recv modal)"
like "where a file ends, recv waits" "0:/6:*stayed empty*ETIMEDOUT*/5:*EAGAIN*/0:" "$(run timeout 60 cat $modal)/$(
	run kmsgpipectl recv --timeout 50ms modal)/$(run kmsgpipectl recv --nonblock modal)/$(run kmsgpipectl recv --all modal)"
kmsgpipectl recv -n 2 modal >grown &
until [[ $(field readers modal) == 1 ]]; do sleep 0.05; done
kmsgpipectl send modal first
until [[ $(field dequeued_msgs modal) == "$(field enqueued_msgs modal)" ]]; do sleep 0.05; done
kmsgpipectl set-params modal --msg-size 1K
head -c 1000 /dev/zero | tr '\0' x | kmsgpipectl send --whole modal
wait $!
is "a message that has become longer than the buffer is received as a whole" "0 2 1007" "$? $(wc -lc <grown | xargs)"
echo whole >"$default_mode"
is "the default mode is changed in sysfs" "whole opened in the mode whole" \
	"$(kmsgpipectl ioctl modal GET_MODE) $(kmsgpipectl show modal | sed -n 's/^files *//p')"
echo eof,records >"$default_mode"
like "where files are opened for records, a message is still a message, and recv waits" \
	"eof,records/0:/0:x/* uid 0 pid [1-9]*: y/6:*stayed empty*ETIMEDOUT*" "$(kmsgpipectl ioctl modal GET_MODE)/$(
	run kmsgpipectl send modal x y)/$(run kmsgpipectl recv modal)/$(kmsgpipectl recv --format short modal)/$(
	run kmsgpipectl recv --format short --timeout 50ms modal)"
kmsgpipectl destroy modal

# What is wrong.
like "doctor finds nothing wrong" "0:ok *module*ok *version*ok *nodes*ok *permissions*ok *privilege*ok *proc*ok *sysfs*" "$(run kmsgpipectl doctor)"
like "doctor as JSON" '{"schema":1,"ok":true,"checks":\[{"check":"module","status":"ok","found":"*","mend":null,"exit":0},*{"check":"sysfs","status":"ok",*' "$(json doctor)"
like "doctor notes what may be meant so" "0:*note *privilege*CAP_SYS_ADMIN*" "$(nobody kmsgpipectl doctor)"
chmod 600 $node
like "doctor finds that permission is missing" "4:*failed *permissions*chmod*" "$(nobody kmsgpipectl doctor)"
chmod 666 $node
mv $node /dev/elsewhere
like "doctor finds that a node is missing" "3:*failed *nodes*$node*devtmpfs*" "$(run kmsgpipectl doctor)"
mv /dev/elsewhere $node

# Nodes that are missing, or cannot be made.
kmsgpipectl create --name gone >/dev/null
kmsgpipectl create --mode 0640 >/dev/null
n1=$(value id "$(json show gone)") n2=$((n1 + 1))
device="c $((16#$(stat -c %t /dev/kmsgpipe/gone))) $n1"
kmsgpipectl send gone kept
rm /dev/kmsgpipe/gone "/dev/kmsgpipe$n2"
like "list shows a pipe whose node is missing" "*gone *$n1 *1 *$n2 *$n2 *0 *" "$(kmsgpipectl list | xargs)"
like "so does show, and says so" "0:pipe *gone*node */dev/kmsgpipe/gone*wrong *nothing is at /dev/kmsgpipe/gone*sent *1 message of 4 bytes*" \
	"$(run kmsgpipectl show gone)"
like "show as JSON" "{*\"id\":$n2,*\"source\":\"sysfs\",\"node\":null}\]}" "$(json show "$n2")"
like "sending says why it cannot" "3:*/dev/kmsgpipe/gone*ENOENT*not its node*doctor*" "$(run kmsgpipectl send gone more)"
like "doctor names what is missing" "3:*failed *nodes *nothing is at /dev/kmsgpipe/gone, nothing is at /dev/kmsgpipe$n2*mknod -m 600 /dev/kmsgpipe/gone $device*" \
	"$(run kmsgpipectl doctor)"
# shellcheck disable=SC2086 # three words
mknod -m 600 /dev/kmsgpipe/gone $device
is "and what it says mends it" "0:kept" "$(run kmsgpipectl recv gone)"
rm /dev/kmsgpipe/gone
echo stray >"/dev/kmsgpipe$n2"
like "doctor names what is in the way" "3:*nothing is at /dev/kmsgpipe/gone, a regular file stands at /dev/kmsgpipe$n2*" "$(run kmsgpipectl doctor)"
like "destroy without a node and without privilege" "4:*EACCES*CAP_SYS_ADMIN*" "$(nobody kmsgpipectl destroy gone)"
is "destroy without a node, or with something else there" "0:/0/stray" \
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
is "nor anything else" "a directory stands at /dev/kmsgpipe/dir
a symbolic link stands at /dev/kmsgpipe/link
another device stands at /dev/kmsgpipe/null
a FIFO stands at /dev/kmsgpipe/fifo
0" "$(for name in dir link null fifo; do
	run kmsgpipectl create --name $name | grep -oE "\b(a|another) [A-Za-z ]*stands at [a-z/]*"
done
find /sys/class/kmsgpipe/ -name 'pipe[1-9]*' | wc -l)"
rm -r /dev/kmsgpipe
echo stray >/dev/kmsgpipe
like "nor if a file is in the place of the directory" '{"schema":1,"error":{"errno":null,"message":"*a regular file stands at /dev/kmsgpipe;*destroyed again","exit":1}}' \
	"$(kmsgpipectl --json create --name x 2>&1)"
rm /dev/kmsgpipe
is "and then it can be made" "0:/dev/kmsgpipe/x/0:" "$(run kmsgpipectl create --name x)/$(run kmsgpipectl destroy x)"

# Colour.
is "no colour into a pipe" "0" "$(kmsgpipectl list | grep -c $'\33')"
is "colour on demand" "1" "$(kmsgpipectl --color always list | grep -c $'\33')"
is "colour on a terminal, unless it is not wanted" "1 0 0" "$(for colour in TERM=xterm NO_COLOR=1 TERM=dumb; do
	env -u NO_COLOR TERM=xterm "$colour" script -qec 'kmsgpipectl list' /dev/null | grep -c $'\33'
done | xargs)"

is "all of it was JSON" "ok" "$(python3 -c 'import json, sys
print("ok" if all(json.loads(line)["schema"] == 1 for line in sys.stdin) else "another schema")' <all.json)"
if [[ -n $LAB_MODULE ]]; then
	rmmod kmsgpipe
	like "without the module, it says how to load it" "3:*modprobe*" "$(run kmsgpipectl list)"
	like "without the module, doctor says how to load it, too" "3:failed *module*insmod*" "$(run kmsgpipectl doctor)"
	like "without the module, in JSON too" '3:*"exit":3*' "$(run kmsgpipectl --json stats 0)"
	insmod "$LAB_MODULE"
else
	skip "without the module, it says how to load it" "the module is built in"
	skip "without the module, doctor says how to load it, too" "the module is built in"
	skip "without the module, in JSON too" "the module is built in"
fi
finish
