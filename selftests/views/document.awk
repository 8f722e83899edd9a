# SPDX-License-Identifier: GPL-2.0
# Makes C of a document whose commands are a test, such as docs/coming-from.md for coming_from.c: the document's C lines,
# and a function that runs the commands in order. They are in
#
# - rows of tables. The second cell is a shell command after "# ", or an expression in C, in backquotes and with a
#   remark behind it; or it is text without backquotes. The third cell is what the row prints or returns.
# - blocks that begin with "```console". A line after "# " is a shell command, and the lines behind it are what it prints.
#   Times and process ids stand for any.

function fail(text)
{
	print FILENAME ":" FNR ": " text >"/dev/stderr"
	failed = 1
	exit 1
}

# Returns a text as a string literal.
function quoted(text,    i, c, literal)
{
	# Not by gsub, as implementations differ in what backslashes mean there.
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "\n")
			c = "\\n"
		else if (c == "\\" || c == "\"")
			c = "\\" c
		literal = literal c
	}
	return "\"" literal "\""
}

# Returns the texts in backquotes in a cell, with newlines between them.
function spans(cell,    parts, count, i, lines)
{
	count = split(cell, parts, "`")
	if (count % 2 == 0)
		fail("a backquote has no end")
	for (i = 2; i <= count; i += 2)
		lines = lines (i > 2 ? "\n" : "") parts[i]
	return lines
}

# Ends a command of a block.
function end_command()
{
	if (block_command != "") {
		print "#line " block_line " " quoted(FILENAME)
		gsub(/[0-9-]+T[0-9:.+-]+/, "...", block_output)
		gsub(/[0-9][0-9]:[0-9][0-9]:[0-9][0-9]/, "...", block_output)
		gsub(/pid [0-9]+/, "pid ...", block_output)
		print "\tprinted(" quoted(section) ", " quoted(block_command) ", 0, " quoted(block_output) ");"
	}
	block_command = block_output = ""
}

/^```c$/ { code = 1; next }
/^```console$/ { block = 1; next }
/^```/ { end_command(); code = block = 0 }
code { print; next }
block && /^# / {
	end_command()
	block_command = substr($0, 3)
	block_line = FNR
	next
}
block {
	block_output = block_output (block_output == "" ? "" : "\n") $0
	next
}
/^## / {
	section = substr($0, 4)
	if (!started++)
		print "\nstatic void rows(void)\n{"
}
/^\|/ {
	# A bar in a cell is written as \|.
	gsub(/\\\|/, "\001")
	if (split($0, cells, "|") != 5)
		fail("a row has three cells")
	here = cells[3]
	result = cells[4]
	gsub("\001", "|", here)
	gsub("\001", "|", result)
	gsub(/^ +| +$/, "", here)
	if (here !~ /`/) {
		if (result ~ /`/)
			fail("a result without a command or call")
		next
	}
	command = spans(here)
	if (here !~ /^`/ || command ~ /\n/)
		fail("the cell does not begin with its only command or call")
	expected = spans(result)
	status = match(result, /exit status [0-9]+/) ? substr(result, RSTART + 12, RLENGTH - 12) : 0
	print "#line " FNR " " quoted(FILENAME)
	if (command ~ /^# /) {
		command = substr(command, 3)
		print "\tprinted(" quoted(section) ", " quoted(command) ", " status ", " quoted(expected) ");"
	} else {
		if (expected == "")
			fail("a call without a result")
		print "\treturned(" quoted(section) ", " quoted(command) ", (" command "), " quoted(expected) ");"
	}
}
END {
	if (!failed)
		print "}"
}
