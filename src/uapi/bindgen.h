/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The input of bindgen, for the module and for the user space tools. The enum
 * makes bindgen evaluate the request numbers, which are macros over sizeof().
 */
#include "../../include/uapi/kmsgpipe.h"

enum kmsgpipe_request {
	REQUEST_GET_STATS	= KMSGPIPE_GET_STATS,
	REQUEST_CLEAR_QUEUE	= KMSGPIPE_CLEAR_QUEUE,
	REQUEST_SET_PARAMS	= KMSGPIPE_SET_PARAMS,
	REQUEST_GET_PARAMS	= KMSGPIPE_GET_PARAMS,
	REQUEST_TOGGLE_BLOCK	= KMSGPIPE_TOGGLE_BLOCK,
	REQUEST_FLUSH_PERIODIC	= KMSGPIPE_FLUSH_PERIODIC,
	REQUEST_CREATE_NEW	= KMSGPIPE_CREATE_NEW,
	REQUEST_DESTROY		= KMSGPIPE_DESTROY,
	REQUEST_DUMP		= KMSGPIPE_DUMP,
	REQUEST_SET_MODE	= KMSGPIPE_SET_MODE,
	REQUEST_GET_MODE	= KMSGPIPE_GET_MODE,
};
