#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0
# The layout of the ABI is frozen, and the same for 32 and 64 bits.
set -u
here=$(dirname "$0")
# shellcheck source=../ktap.sh
. "$here/ktap.sh"

golden=$(cat "$here/abi.golden")
# spec: 6-encoding
is "a 64-bit program has the frozen layout" "$golden" "$("$here/abi64")"
# spec: 6-encoding
is "a 32-bit program has the frozen layout" "$golden" "$("$here/abi32")"
is "a 64-bit program gets the documented results" "value id 0 msg_size 256 max_msgs 128
value depth 1 messages 4 bytes
value head 4 bytes, own pid 1
value read 4
value create reserved -22
value create default_mode -22
value create overflow -22
value create kind -22
value create history -22
value create priorities -22
value create 1
value create again -17
value destroy 0: -16
value set_params 0
value get_params 0: 100 3 0 0
value write 101: -1 errno 90
value write 100: 100
value set_params of a full pipe -16
value set_params reserved -22
value set_params bad pointer -14
value toggle 0
value read -1 errno 11 nonblocking 1
value toggle 0
value nonblocking 0
value fionbio 0
value nonblocking 1
value fionread 0: 7
value flush 0: flags 3 3000000000 4000000000
value flush 2 -22
value flush off 0: flags 1 0 0
value set_params -22
value dump 0: used 152 records 2 missing 0
value record 5 bytes, own pid 1, uid 0 gid 0 flags 0 reserved 0: 66 69 72 73 74 0 0 0
value record 9 bytes, next 1, later 1 1: 73 65 63 6f 6e 64 2e 2e 2e 0 0 0 0 0 0 0
value dump of 72 0: used 72 records 1 missing 1
value dump of 2^63 0: used 152 records 2 missing 0
value dump bad pointer -14
value dump of nothing 0: used 0 records 0 missing 2
value dump reserved -22
value attach browse 0: read 4
value attach browse 2^32 0: read -1 errno 11
value attach at -22
value attach own -22
value attach group 0: read 4
value attach reserved -22
value attach max_deliveries -22
value attach lease 0: read 5
value nack 0: read 5
value ack 2^32 -2
value ack 0
value ack again -2
value ack bad pointer -14
value attach group again 0
value attach bad pointer -14
value get_mode 0: 1
value set_mode 32: -22
value set_mode 2^31: -22
value set_mode bad pointer -14
value get_mode bad pointer -14
value set_mode eof, lines 0: 10
value read of nothing 0
value write 7, set_mode with a line -16
value read 4, write 1, read 1, set_mode with a rest -16, fionread 0: 3, read 3, set_mode 0
value set_mode records, whole -22
value set_mode records 0: write 32, write -1 errno 22, read -1 errno 90, read 72: 5 bytes, own pid 1, uid 0 gid 0 flags 0 lost 0 priority 0 deliveries 1 reserved 0: 66 69 72 73 74 0 0 0
value destroy 0
value destroy again -19
value set_mode destroyed -19
value attach destroyed -19
value unknown -25" "$("$here/abi64" /dev/kmsgpipe0 | grep -v -e ^sizeof -e ^offsetof -e ^request)"
# spec: 11-ioctl
is "a 32-bit program gets the same results as a 64-bit program" "$("$here/abi64" /dev/kmsgpipe0)" "$("$here/abi32" /dev/kmsgpipe0)"
finish
