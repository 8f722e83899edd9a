#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# Everyday tools, which treat every file as a stream of bytes, on messages: all bytes arrive in order, and none is lost.
set -u
# shellcheck source=../ktap.sh
. "$(dirname "$0")/ktap.sh"
cd "$LAB_WORK" || exit 1
export LC_ALL=C
node=/dev/kmsgpipe/everyday
long=/dev/kmsgpipe/everyday-long

# create NAME SIZE COUNT: creates a pipe, and prints the path of its attribute default_mode.
create() {
	local made
	made=$(kmsgpipectl --json create --name "$1" --msg-size "$2" --max-msgs "$3")
	[[ $made =~ \"id\":([0-9]+) ]] && echo "/sys/class/kmsgpipe/pipe${BASH_REMATCH[1]}/default_mode"
}

# has TOOL NAME: whether the tool is installed. If not, the check is skipped.
has() {
	command -v "$1" >/dev/null || {
		skip "$2" "$1 is not installed"
		return 1
	}
}

# queue: makes each line of the input a message, with its newline.
queue() {
	echo none >"$mode"
	sed -z 's/\n/\n\x00/g' | kmsgpipectl send --null everyday
}

# messages: reads all messages, and prints a comma for each newline and a slash after each message.
messages() {
	echo none >"$mode"
	kmsgpipectl recv --all --null everyday | tr '\n\0' ',/'
}

# reads NAME EXPECTED COMMAND [FILE]: checks the output of the command when the lines of the file are queued.
reads() {
	local name="$1 gets every byte in order"
	has "${3%% *}" "$name" || return
	queue <"${4:-text}"
	echo eof >"$mode"
	is "$name" "$2=0" "$(eval "$3" <$node; echo "=$?")"
}

# follows NAME MODE COMMAND: checks that the command prints each message before the next one is sent.
follows() {
	local pid first='' second='' name="$1 prints each message before the next one"
	has "${3%% *}" "$name" || return
	echo "$2" >"$mode"
	mkfifo follower
	sh -c "exec $3" <$node >follower &
	pid=$!
	exec 5<follower
	echo one >$node
	read -r first <&5
	echo two >$node
	read -r second <&5
	kill $pid
	wait $pid 2>/dev/null
	exec 5<&-
	rm follower
	is "$name" "one two" "$first $second"
}

# several NAME EXPECTED COMMAND: like reads, with one open file, descriptor 5, for the whole command.
several() {
	echo eof >"$mode"
	is "$1" "$2" "$(eval "$3" 5<$node)"
}

# reads_long NAME COMMAND: checks the output of the command for messages of all lengths.
reads_long() {
	local name="$1 gets messages of up to 1 MiB unchanged"
	has "${2%% *}" "$name" || return
	echo none >"$long_mode"
	exec 6<random
	for size in "${sizes[@]}"; do
		dd bs="$size" count=1 status=none <&6 >$long
	done
	exec 6<&-
	echo eof >"$long_mode"
	is "$name" "$(sha256sum <random)"$'\n=0' "$(eval "$2" <$long | sha256sum; echo "=${PIPESTATUS[0]}")"
}

# writes NAME EXPECTED COMMAND: checks the messages that the command sends in the mode `lines`.
writes() {
	local status name="$1 sends a message per line"
	has "${3%% *}" "$name" || return
	echo lines >"$mode"
	eval "$3"
	status=$?
	is "$name" "$2=0" "$(messages)=$status"
}

# told FILE NAME: prints the result of a check that a program has written to the file.
told() { sed -n "s/^$2: //p" "$1"; }

mode=$(create everyday 16K 1024)
long_mode=$(create everyday-long 1M 16)

# line LENGTH: prints a line of this length without its newline.
line() {
	local line
	printf -v line '%*s' "$1" ''
	echo "${line// /x}"
}

# For commands that read byte by byte, which is slow on the debug kernel.
printf -v few '%s\n' one 'some words,  a \backslash' '' xx "$(line 99)" last
printf %s "$few" >few
# Messages of 1 to 9001 bytes: some tools read 4096 at once, some 8192.
lines=(one 'some words,  a \backslash' '' xx "$(line 99)")
for length in 254 255 256 1000 4095 9000; do
	lines+=("$(line $length)")
done
lines+=(last)
printf -v text '%s\n' "${lines[@]}"
printf -v prefixed '> %s\n' "${lines[@]}"
printf -v columns '%.5s\n' "${lines[@]}"
printf %s "$text" >text

# Loops in shells.
# shellcheck disable=SC2016 # expanded by the shells
loop='while read -r line; do printf "%s\n" "$line"; done' one='read -r line && printf "%s\n" "$line"'
for shell in bash dash "busybox sh" "zsh -f"; do
	reads "$shell: while read" "$few" "$shell -c '$loop'" few
	has "${shell%% *}" "$shell: a read of one line takes one message" || continue
	printf 'one\ntwo words\n' | queue
	is "$shell: a read of one line takes one message" "one/two words" "$($shell -c "$one" <$node)/$($shell -c "$one" <$node)"
done
reads "bash: mapfile" "$few" "mapfile -t array; printf '%s\n' \"\${array[@]}\"" few
printf '1\n2\n3\n' | queue
is "bash: mapfile -n does not wait for more lines" "1 2/3" "$(mapfile -n 2 -t <$node && echo "${MAPFILE[*]}")/$(head -n 1 $node)"

# Two messages, of two lines and of one.
printf '1\n2\n\0003\n' | kmsgpipectl send --null everyday
is "bash: closing the file discards the second line of a message" "1 3" "$(read -r a <$node && read -r b <$node && echo "$a $b")"
printf '1\n2\n\0003\n' | kmsgpipectl send --null everyday
# shellcheck disable=SC2016 # expanded by eval
several "bash: an open file keeps the second line of a message" "1 2 3" 'read -r a <&5 && read -r b <&5 && read -r c <&5 && echo "$a $b $c"'

# Coreutils.
printf '12345\00067890' | kmsgpipectl send --null everyday
is "head -c 3 loses the rest of the message" "123/67890" "$(head -c 3 $node)/$(head -c 5 $node)"
printf '12345\00067890' | kmsgpipectl send --null everyday
several "head -c 3 of one open file loses nothing" "123/456/789/0" \
	'for _ in 1 2 3; do head -c 3 <&5; printf /; done; head -c 3 <&5'
printf '1\n2\n\0003\n' | kmsgpipectl send --null everyday
is "head -n 1 loses the further lines of its message only" "1/3" "$(head -n 1 $node)/$(head -n 1 $node)"
reads "head -n of more lines than are queued" "$text" 'head -n 1000'
reads "dd bs=1" "$few" 'dd bs=1 status=none' few
reads "dd iflag=fullblock" "$text" 'dd bs=1000 iflag=fullblock status=none'
queue <text
echo eof >"$mode"
is "dd iflag=fullblock fills its blocks" "$((${#text} / 1000))+1 records in" \
	"$(dd bs=1000 iflag=fullblock of=/dev/null <$node 2>&1 | head -n 1)"
seq -f 'line %05.0f' 100 130 | queue
several "dd iflag=fullblock of one open file loses nothing" "$(seq -f 'line %05.0f' 100 130)" \
	'for _ in 1 2 3; do dd bs=64 count=1 iflag=fullblock status=none <&5; done; cat <&5'
reads "cat" "$text" cat
is "cat of an empty pipe ends" "=0" "$(cat $node; echo "=$?")"
reads "tee" "$text$text" 'tee copy && cat copy'
reads "cut" "$columns" 'cut -c 1-5'
reads "sort" "$(printf '%s' "$text" | sort)"$'\n' sort
reads "wc" "${#lines[@]} ${#text}"$'\n' 'wc -lc | xargs'
reads "tail -n 2" "$(printf '%s\n' "${lines[@]: -2}")"$'\n' 'tail -n 2'
reads "tac" "$(printf '%s' "$text" | tac)"$'\n' tac

# Filters.
reads "sed -u" "$(sed 's/^/> /' few)"$'\n' 'sed -u "s/^/> /"' few
seq 5 | queue
several "sed -u takes no more than it needs" $'1 2\n3 4 5' 'sed -u 2q <&5 | xargs; cat <&5 | xargs'
for awk in mawk gawk "busybox awk"; do
	reads "$awk" "$prefixed" "$awk '{ print \"> \" \$0 }'"
done
reads "grep" "$(printf '%s' "$text" | grep -n x)"$'\n' 'grep -n x'
reads "jq" "$text" 'jq -Rr .'

# Commands that do not end.
follows "cat" none cat
follows "tail -f" eof "tail -n +1 -s 0.01 -f $node"
seq 12 | queue
echo eof >"$mode"
mkfifo follower
tail -s 0.01 -f $node >follower &
pid=$!
exec 5<follower
got=$(for _ in {1..10}; do read -r line <&5 && echo -n "$line "; done)
echo 13 >$node
read -r line <&5
kill $pid
wait $pid 2>/dev/null
exec 5<&-
rm follower
is "tail -f begins with the last ten lines" "3 4 5 6 7 8 9 10 11 12 13" "$got$line"
follows "tee" none "tee copy"
follows "sed -u" none "sed -u ''"
follows "cut with stdbuf" none "stdbuf -oL cut -c 1-5"
follows "grep" none "grep --line-buffered o"
follows "gawk" none "gawk '{ print; fflush() }'"
follows "mawk" none "mawk -W interactive '{ print; fflush() }'"
follows "pv" none "pv -q"

# Messages of up to 1 MiB, longer than the tools' buffers.
sizes=(20 255 4096 4097 65536 131072 131073 300000 1048575 1048576)
head -c "$((${sizes[*]/%/+}0))" /dev/urandom >random
reads_long "cat" cat
reads_long "cat into a file" 'cat >copy && cat copy'
reads_long "tee" 'tee copy'
reads_long "dd" 'dd bs=1000 status=none'
reads_long "dd iflag=fullblock" 'dd bs=100000 iflag=fullblock status=none'
reads_long "pv" 'pv -q'
reads_long "pv into a file" 'pv -q >copy && cat copy'
reads_long "pv with a buffer of 1000 bytes" 'pv -q -B 1000'
reads_long "pv without splice" 'pv -q -C -B 1000'

# One python3 for all checks, as it takes 20 s to start on the debug kernel.
python3 - "$node" "$mode" >python.told <<'END'
import asyncio, logging, os, sys

node, modes = sys.argv[1:]
with open("text", "rb") as file:
    text = file.read()
lines = text.splitlines(True)
pieces = [line[at : at + 100] for line in lines for at in range(0, len(line), 100)]
numbers = ["line %d of many\n" % n for n in range(1000)]

def mode(words):
    with open(modes, "w") as file:
        file.write(words)

def queue(words):
    mode("none")
    with open(node, "wb", buffering=0) as file:
        for line in lines:
            file.write(line)
    mode(words)

def messages():
    got = []
    fd = os.open(node, os.O_RDONLY | os.O_NONBLOCK)
    try:
        while True:
            got.append(os.read(fd, 4096))
    except BlockingIOError:
        os.close(fd)
    return got

def check(name, expected, got):
    print(name, "as expected" if got == expected else f"{got} instead of {expected}", sep=": ", flush=True)

queue("eof")
with open(node) as file:
    check("text", text.decode().splitlines(True), list(file))
queue("eof")
with open(node, "rb") as file:
    check("buffered", [lines[0], text[len(lines[0]) :][:1000], text[len(lines[0]) + 1000 :]],
          [file.readline(), file.read(1000), file.read()])
queue("eof")
with open(node, "rb", buffering=0) as file:
    check("unbuffered", pieces, list(iter(lambda: file.read(100), b"")))

async def streams(words, more):
    queue(words)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), open(node, "rb", buffering=0))
    got = [await reader.readline() for _ in range(len(lines) + more)]
    transport.close()
    return got

check("asyncio to the end", lines + [b""], asyncio.run(streams("eof", 1)))
check("asyncio", lines, asyncio.run(streams("none", 0)))

async def readers():
    queue("none")
    fd, loop, got = os.open(node, os.O_RDONLY | os.O_NONBLOCK), asyncio.get_running_loop(), []
    done = loop.create_future()

    def ready():
        got.append(os.read(fd, 100))
        if len(got) == len(pieces):
            loop.remove_reader(fd)
            done.set_result(None)

    loop.add_reader(fd, ready)
    await done
    os.close(fd)
    return got

check("add_reader", pieces, asyncio.run(readers()))

mode("lines")
handler = logging.FileHandler(node)
logging.getLogger().addHandler(handler)
logging.warning("one %d", 1)
logging.warning("two\nlines")
handler.close()
check("logging", [b"one 1\n", b"two\n", b"lines\n"], messages())

mode("lines")
with open(node, "w") as file:
    file.writelines(numbers)
    file.write("end")
check("writer", [number.encode() for number in numbers] + [b"end"], messages())

mode("none")
with open(node, "w", buffering=1) as file:
    for number in numbers:
        print(number, end="", file=file)
check("line-buffered writer", [number.encode() for number in numbers], messages())

# More than fits into the pipe, so that writes are short.
async def writers():
    mode("lines")
    fd, loop, got = os.open(node, os.O_RDONLY | os.O_NONBLOCK), asyncio.get_running_loop(), []
    done = loop.create_future()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.streams.FlowControlMixin(), open(node, "wb", buffering=0))

    def ready():
        got.append(os.read(fd, 4096))
        if len(got) == 3 * len(numbers):
            loop.remove_reader(fd)
            done.set_result(None)

    transport.write("".join(3 * numbers).encode())
    loop.add_reader(fd, ready)
    await done
    transport.close()
    os.close(fd)
    return got

check("asyncio writer", [number.encode() for number in 3 * numbers], asyncio.run(writers()))
END
is "python: text files return every line" "as expected" "$(told python.told text)"
is "python: buffered files return every byte" "as expected" "$(told python.told buffered)"
is "python: unbuffered files return every byte" "as expected" "$(told python.told unbuffered)"
is "python: asyncio.connect_read_pipe reads to the end" "as expected" "$(told python.told "asyncio to the end")"
is "python: asyncio.connect_read_pipe receives each message" "as expected" "$(told python.told asyncio)"
is "python: asyncio's add_reader gets all bytes by short reads" "as expected" "$(told python.told add_reader)"
is "python: logging sends a message per line" "as expected" "$(told python.told logging)"
is "python: a buffered writer sends a message per line" "as expected" "$(told python.told writer)"
is "python: a line-buffered writer sends a message per line in any mode" "as expected" "$(told python.told "line-buffered writer")"
is "python: asyncio.connect_write_pipe writes more than fits" "as expected" "$(told python.told "asyncio writer")"

# One node for all checks, too.
cat >everyday.js <<'END'
const fs = require('fs'), readline = require('readline');
const [node, modes] = process.argv.slice(2);
const text = fs.readFileSync('text', 'latin1');
const lines = text.match(/.*\n/g), numbers = Array.from({ length: 300 }, (_, n) => `line ${n} of many\n`);
const mode = (words) => fs.writeFileSync(modes, words);

function queue(words) {
	mode('none');
	const fd = fs.openSync(node, 'w');
	lines.forEach((line) => fs.writeSync(fd, line));
	fs.closeSync(fd);
	mode(words);
}

function messages() {
	const fd = fs.openSync(node, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK), buffer = Buffer.alloc(4096), got = [];
	try {
		for (;;)
			got.push(buffer.latin1Slice(0, fs.readSync(fd, buffer)));
	} catch (error) {
		if (error.code !== 'EAGAIN')
			throw error;
	}
	fs.closeSync(fd);
	return got;
}

function check(name, expected, got) {
	[expected, got] = [JSON.stringify(expected), JSON.stringify(got)];
	console.log(`${name}: ${got === expected ? 'as expected' : `${got} instead of ${expected}`}`);
}

async function all(stream) {
	const got = [];
	for await (const piece of stream)
		got.push(piece.toString('latin1'));
	return got;
}

// The first so many pieces of a stream that does not end.
const some = (stream, count) => new Promise((resolve) => {
	const got = [];
	stream.on('data', (piece) => got.push(piece.toString('latin1')) === count && resolve(got));
});

async function main() {
	check('stdin', lines, await all(process.stdin));
	queue('eof');
	check('short', lines.flatMap((line) => line.match(/[^]{1,100}/g)), await all(fs.createReadStream(node, { highWaterMark: 100 })));
	queue('eof');
	check('readline', text.split('\n').slice(0, -1), await all(readline.createInterface({ input: fs.createReadStream(node) })));
	mode('lines');
	await new Promise((resolve) => {
		const stream = fs.createWriteStream(node);
		numbers.forEach((number) => stream.write(number));
		stream.end('end');
		stream.on('close', resolve);
	});
	check('writer', numbers.concat(['end']), messages());
	queue('none');
	check('each message', lines, await some(fs.createReadStream(node), lines.length));
	// It would wait for the read that waits.
	process.kill(process.pid, 'SIGKILL');
}

main();
END
queue <text
echo eof >"$mode"
if command -v node >/dev/null; then
	# shellcheck disable=SC2094 # a pipe
	node everyday.js $node "$mode" <$node >node.told &
	wait $! 2>/dev/null
fi
# node_told NAME CHECK: checks a result of node.
node_told() { has node "$1" && is "$1" "as expected" "$(told node.told "$2")"; }
node_told "node: standard input returns every byte" stdin
node_told "node: a stream with short reads returns every byte" short
node_told "node: readline returns every line" readline
node_told "node: a stream writes a message per line" writer
node_told "node: a stream receives each message" "each message"

# Writers, in the mode `lines`.
numbers=$(printf '%s,/' {1..300})
writes "seq" "$numbers" "seq 1 300 >$node"
writes "seq by tee" "$numbers" "seq 1 300 | tee $node >/dev/null"
writes "printf of all at once" "a,/b/" "/usr/bin/printf 'a\nb' >$node"
writes "printf of a shell" "a,/b/" "printf 'a\nb' >$node"
writes "a line of two commands" "ab,/c/" "{ printf a; printf 'b\nc'; } >$node"
writes "dd in the middle of lines" "$numbers" "seq 1 300 | dd bs=7 iflag=fullblock of=$node status=none"
for awk in mawk gawk "busybox awk"; do
	writes "$awk's print" "$numbers" "$awk 'BEGIN { for (i = 1; i <= 300; i++) print i >\"$node\" }'"
done
writes "sed's w" "$numbers" "seq 1 300 | sed -n 'w $node'"
writes "jq" "$numbers" "jq -n 'range(1; 301)' >$node"
writes "jq --unbuffered" "$numbers" "jq --unbuffered -n 'range(1; 301)' >$node"
echo lines >"$long_mode"
seq 1 3000 >$long &
is "seq continues when a full pipe has room" "$(seq 1 3000)" \
	"$(dd bs="$(seq 1 3000 | wc -c)" count=1 iflag=fullblock status=none <$long)"
wait $!

# left PIPE: prints the numbers of queued, dropped and refused messages.
left() { kmsgpipectl stats "$1" --json | grep -oE '"(depth_msgs|dropped_msgs|refused_size)":[0-9]+' | xargs; }
nothing="depth_msgs:0 dropped_msgs:0 refused_size:0"
is "no message is left and none was lost" "$nothing, $nothing" "$(left everyday), $(left everyday-long)"
kmsgpipectl destroy everyday everyday-long
finish
