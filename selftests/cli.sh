#!/usr/bin/env bash
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

# json EXPRESSION: what python makes of the JSON on its input, named d.
json() { python3 -c "import json, sys; d = json.load(sys.stdin); print($1)"; }

plan 34

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
b" "$(printf 'a\nb\n' | kmsgpipectl send --whole 0 && kmsgpipectl stats 0 --json | json 'd["pipes"][0]["depth_bytes"]' | tr '\n' : &&
	kmsgpipectl recv --raw 0)"
head -c 200 /dev/urandom >binary
is "binary messages pass unchanged" "$(sha256sum <binary)" "$(kmsgpipectl send --whole 0 <binary && kmsgpipectl recv --raw 0 | sha256sum)"
is "length-prefixed messages come back as they went" "$(printf '\003\0\0\0abc\001\0\0\0d' | sha256sum)" \
	"$(printf '\003\0\0\0abc\001\0\0\0d' | kmsgpipectl send --length-prefixed 0 && kmsgpipectl recv -n 2 --length-prefixed 0 | sha256sum)"
is "received messages as JSON" "[(1, 'é'), (1, None)]" "$(printf 'é' | kmsgpipectl send --whole 0 && printf '\377' | kmsgpipectl send --whole 0 && kmsgpipectl recv -n 2 --json 0 |
	python3 -c 'import json, sys; print([(d["schema"], d.get("data")) for d in map(json.loads, sys.stdin)])')"

like "an empty pipe, not waiting" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl recv --nonblock 0)"
like "an empty pipe, waiting for a while" "6:*kmsgpipe0*" "$(run kmsgpipectl recv --timeout 50ms 0)"
is "what came before the time was up is printed" "6:only" \
	"$(kmsgpipectl send 0 only && run kmsgpipectl recv -n 2 --timeout 50ms 0 | head -n 1)"
for _ in $(seq 128); do echo fill; done | kmsgpipectl send 0
like "a full pipe, not waiting" "5:*kmsgpipe0*EAGAIN*" "$(run kmsgpipectl send --nonblock 0 more)"
like "a full pipe, waiting for a while" "6:*kmsgpipe0*" "$(run kmsgpipectl send --timeout 50ms 0 more)"
is "clear" "0:" "$(run kmsgpipectl clear 0 | sed 's/:.*/:/')"
is "and then nothing is left" "0" "$(kmsgpipectl stats 0 --json | json 'd["pipes"][0]["depth_msgs"]')"

like "a message too long names its length and the limit" "1:*257*256*" \
	"$(head -c 257 /dev/zero | run kmsgpipectl send --whole 0)"
like "an empty message is skipped, visibly" "0:*empty*" "$(printf '\n' | run kmsgpipectl send 0)"

like "list" "0:PIPE*kmsgpipe0*" "$(run kmsgpipectl list)"
is "list is the default" "$(kmsgpipectl list)" "$(kmsgpipectl)"
is "list as JSON" "1 ['kmsgpipe0'] 256 128" "$(kmsgpipectl list --json |
	json 'd["schema"], [p["pipe"] for p in d["pipes"]], d["pipes"][0]["msg_size"], d["pipes"][0]["max_msgs"]' | tr -d '(),' | sed "s/\['/['/")"
kmsgpipectl send 0 12345
is "statistics as JSON show the sender" "1 5 0 True" "$(kmsgpipectl stats 0 --json |
	json '" ".join(map(str, (d["pipes"][0]["depth_msgs"], d["pipes"][0]["head"]["len"], d["pipes"][0]["head"]["uid"], d["pipes"][0]["head"]["pid"] > 1)))')"
is "statistics keep their account" "True" "$(kmsgpipectl stats 0 --json |
	json 'all(p["enqueued_"+u] == p["dequeued_"+u] + p["expired_"+u] + p["dropped_"+u] + p["depth_"+u] for p in d["pipes"] for u in ("msgs", "bytes"))')"
like "statistics for people" "0:*depth*" "$(run kmsgpipectl stats 0)"
kmsgpipectl clear 0

like "clear without privilege" "4:*kmsgpipe0*EPERM*" "$(nobody kmsgpipectl clear 0)"
like "errors as JSON" '4:*"errno":"EPERM"*' "$(nobody kmsgpipectl --json clear 0)"
chmod 600 $node
like "no permission says whose pipe it is" "4:*kmsgpipe0*EACCES*0600*1000*" "$(nobody kmsgpipectl recv --nonblock 0)"
chmod 666 $node

like "no such pipe" "3:*kmsgpipe7*" "$(run kmsgpipectl stats 7)"
like "not a pipe" "[37]:*null*" "$(run kmsgpipectl send /dev/null x)"
like "bad usage" "2:*" "$(run kmsgpipectl recv --count x 0)"
like "completions" "0:*kmsgpipectl*" "$(run kmsgpipectl completions bash)"
is "a closed pipe ends it quietly" "x:" "$(seq 20 | kmsgpipectl send 0 && kmsgpipectl recv -f 0 2>errors | head -n 1 >first &&
	sed 's/1/x/' first | tr '\n' : && cat errors)"
kmsgpipectl clear 0
rmmod kmsgpipe
like "without the module, it says how to load it" "3:*modprobe*" "$(run kmsgpipectl list)"
like "without the module, in JSON too" '3:*"exit":3*' "$(run kmsgpipectl --json stats 0)"
insmod "$LAB_MODULE"
finish
