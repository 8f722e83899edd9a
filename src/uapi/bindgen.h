/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * What bindgen reads, for the module and for user space alike: the header, and
 * the request numbers, which are macros over sizeof() that bindgen does not
 * evaluate by itself.
 */
#include "../../include/uapi/kmsgpipe.h"

enum kmsgpipe_request {
	REQUEST_GET_STATS	= KMSGPIPE_GET_STATS,
	REQUEST_CLEAR_QUEUE	= KMSGPIPE_CLEAR_QUEUE,
};
