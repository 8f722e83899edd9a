// SPDX-License-Identifier: GPL-2.0
/* A program that uses the installed header: prints the number of messages in pipe 0. */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include <linux/kmsgpipe.h>

int main(void)
{
	struct kmsgpipe_stats stats;
	int fd = open("/dev/kmsgpipe0", O_RDONLY);

	if (fd < 0 || ioctl(fd, KMSGPIPE_GET_STATS, &stats))
		err(1, "/dev/kmsgpipe0");
	printf("%llu\n", (unsigned long long)stats.depth_msgs);
	return 0;
}
