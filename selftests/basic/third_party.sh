#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Programs without support for kmsgpipe: the shell, coreutils, python3, socat and rsyslog.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
node=/dev/kmsgpipe0

echo "system ready" >$node
# spec: 1-file-operations 10-echo-cat
is "head prints what echo wrote" "system ready" "$(head -n 1 $node)"

/usr/bin/printf 'a\nb\n' >$node
is "printf of two lines is one message" "a,b," "$(dd if=$node bs=4096 count=1 status=none | tr '\n' ,)"

# The printf of bash writes each line with a separate call.
printf 'a\nb\n' >$node
is "bash's builtin printf sends a message per line" "a,/b," "$(for _ in 1 2; do
	dd if=$node bs=4096 count=1 status=none | tr '\n' , && echo -n /
done | sed 's:/$::')"

dd if=/dev/zero of=$node bs=100 count=5 status=none
is "dd sends a message per block" "500 5" "$(for _ in 1 2 3 4 5; do
	dd if=$node bs=4096 count=1 status=none
done | wc -c) 5"

is "dd reports EAGAIN for an empty pipe" "dd: error reading '$node': Resource temporarily unavailable" \
	"$(dd if=$node iflag=nonblock bs=4096 count=1 status=none 2>&1)"

is "dd reports EMSGSIZE for a message that is too long" "dd: error writing '$node': Message too long" \
	"$(dd if=/dev/zero of=$node bs=257 count=1 status=none 2>&1)"

printf 12345 >$node
is "dd with a short buffer reads a message in two blocks" "1234/5" "$({
	dd bs=4 count=1 status=none && echo -n / && dd bs=5 count=1 status=none
} <$node)"

# cat reads until it is stopped.
mkfifo "$LAB_WORK/cat"
cat $node >"$LAB_WORK/cat" &
cat=$!
exec 5<"$LAB_WORK/cat"
echo one >$node
read -r first <&5
echo two >$node
read -r second <&5
kill $cat
wait $cat 2>/dev/null
exec 5<&-
# spec: 10-echo-cat
is "cat reads until it is stopped" "one two" "$first $second"

# spec: 1-file-operations
is "python reads and writes messages" "b'hello'" "$(python3 - <<END
import os
fd = os.open("$node", os.O_RDWR)
os.write(fd, b"hello")
print(os.read(fd, 4096))
END
)"

is "python's selectors report when the pipe is readable and writable" "[] ['w'] ['r', 'w'] ['r'] ['w']" "$(python3 - <<END
import fcntl, os, selectors
fd = os.open("$node", os.O_RDWR | os.O_NONBLOCK)
s = selectors.DefaultSelector()
s.register(fd, selectors.EVENT_READ)
def events():
    return [n for _, m in s.select(0)
            for n, e in (("r", selectors.EVENT_READ), ("w", selectors.EVENT_WRITE)) if m & e]
seen = [events()]
s.modify(fd, selectors.EVENT_READ | selectors.EVENT_WRITE)
seen.append(events())
os.write(fd, b"x")
seen.append(events())
try:
    while True:
        os.write(fd, b"y")
except BlockingIOError:
    pass
seen.append(events())
try:
    while True:
        os.read(fd, 16)
except BlockingIOError:
    pass
seen.append(events())
print(*seen)
END
)"

is "python raises EMSGSIZE, EAGAIN and ESPIPE" "EMSGSIZE EAGAIN ESPIPE" "$(python3 - <<END
import errno, os
fd = os.open("$node", os.O_RDWR | os.O_NONBLOCK)
def name(call, *args):
    try:
        call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]
print(name(os.write, fd, bytes(257)), name(os.read, fd, 1), name(os.lseek, fd, 0, 0))
END
)"

is "python's asyncio receives each message" "b'ping' b'pong'" "$(python3 - <<END
import asyncio, os
async def main():
    fd = os.open("$node", os.O_RDWR | os.O_NONBLOCK)
    loop, got = asyncio.get_running_loop(), asyncio.Queue()
    loop.add_reader(fd, lambda: got.put_nowait(os.read(fd, 4096)))
    os.write(fd, b"ping")
    first = await got.get()
    os.write(fd, b"pong")
    print(first, await got.get())
asyncio.run(main())
END
)"

is "socat reads a message" "by socat" "$(printf 'by socat' >$node && socat -u OPEN:$node,rdonly,readbytes=8 STDOUT)"

printf 'to the pipe' | socat -u STDIN OPEN:$node,wronly
is "socat writes a message" "to the pipe" "$(dd if=$node iflag=nonblock bs=4096 count=1 status=none)"

# The output module of rsyslog for named pipes, with the lines of a file as input.
printf '%s\n' one two three >"$LAB_WORK/lines"
cat >"$LAB_WORK/rsyslog.conf" <<END
global(workDirectory="$LAB_WORK")
module(load="imfile")
input(type="imfile" file="$LAB_WORK/lines" tag="lines" ruleset="lines")
template(name="line" type="string" string="%msg%\n")
ruleset(name="lines") { action(type="ompipe" pipe="$node" template="line") }
END
if command -v rsyslogd >/dev/null; then
	rsyslogd -n -i NONE -f "$LAB_WORK/rsyslog.conf" >"$LAB_WORK/rsyslog.told" 2>&1 &
	# The time limit is for a rsyslogd that hangs or does not start.
	is "rsyslog's ompipe sends a message per line" "one,/two,/three,/" "$(for _ in 1 2 3; do
		timeout 300 dd if=$node bs=4096 count=1 status=none | tr '\n' , && echo -n /
	done)"
	kill $!
	wait $!
else
	skip "rsyslog's ompipe sends a message per line" "rsyslogd is not installed"
fi

is "no message is left" "dd: error reading '$node': Resource temporarily unavailable" \
	"$(dd if=$node iflag=nonblock bs=4096 count=1 status=none 2>&1)"

finish
