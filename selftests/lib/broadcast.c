// SPDX-License-Identifier: GPL-2.0
#include "lib/broadcast.h"
#include "lib/pipe.h"
#include "lib/views.h"

struct kmsgpipe_create broadcast_request(unsigned int max_msgs, unsigned int history)
{
	return (struct kmsgpipe_create){
		.msg_size = 256, .max_msgs = max_msgs, .kind = KMSGPIPE_KIND_BROADCAST, .history = history,
	};
}

long broadcast_pipe(unsigned int max_msgs, unsigned int history)
{
	struct kmsgpipe_create create = broadcast_request(max_msgs, history);
	long id = create_pipe(&create);

	if (id < 1)
		abort();
	return id;
}

int subscribe(long id)
{
	return open_id(id, O_RDONLY | O_NONBLOCK);
}

long attach(int fd, unsigned int kind, unsigned int start, unsigned long long at)
{
	struct kmsgpipe_attach attach = { .kind = kind, .start = start, .at = at };

	return TRY(ioctl(fd, KMSGPIPE_ATTACH, &attach));
}

long browse(int fd, unsigned int start, unsigned long long at)
{
	return attach(fd, KMSGPIPE_ATTACH_BROWSE, start, at);
}

const char *position_of(int fd)
{
	static char text[200];
	char all[1024], reads[32] = "";
	const char *line;

	fdinfo(fd, all, sizeof(all));
	line = strstr(all, "\nkmsgpipe-reads:\t");
	if (!line || sscanf(line, "\nkmsgpipe-reads:\t%31[a-z]\n", reads) != 1)
		return "none";
	if (value_of(all, "kmsgpipe-next-seq") < 0)
		return strcpy(text, reads);
	snprintf(text, sizeof(text), "%s next %lld lag %lld lost %lld expired %lld", reads,
		 value_of(all, "kmsgpipe-next-seq"), value_of(all, "kmsgpipe-lag-msgs"),
		 value_of(all, "kmsgpipe-lost-msgs"), value_of(all, "kmsgpipe-expired-msgs"));
	return text;
}
