#!/usr/bin/env bash
# The layout that programs see is frozen, and the same for 32 and 64 bits.
set -u
here=$(dirname "$0")
. "$here/ktap.sh"

plan 4
golden=$(cat "$here/abi.golden")
is "a 64-bit program has the frozen layout" "$golden" "$("$here/abi64")"
is "a 32-bit program has the frozen layout" "$golden" "$("$here/abi32")"
is "requests of a 64-bit program" "value id 0 msg_size 256 max_msgs 128
value depth 1 messages 4 bytes
value head 4 bytes, own pid 1
value read 4" "$("$here/abi64" /dev/kmsgpipe0 | grep -v -e ^sizeof -e ^offsetof -e ^request)"
is "requests of a 32-bit program are answered alike" "$("$here/abi64" /dev/kmsgpipe0)" "$("$here/abi32" /dev/kmsgpipe0)"
finish
