// SPDX-License-Identifier: GPL-2.0
/* The uevents of pipes that are created and destroyed. */
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/registry_fixture.h"
#include "lib/tasks.h"
#include "lib/uevent.h"
#include "lib/views.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

TEST_F(registry, create_and_destroy_send_uevents)
{
	struct kmsgpipe_create named = named_pipe("weather"), unnamed = default_pipe();
	/* The lines of a uevent; `%ld` is the pipe's id. */
	static const char *const expected[4][5] = {
		{ "add@/devices/virtual/kmsgpipe/pipe%ld", "ACTION=add", "MINOR=%ld", "DEVNAME=kmsgpipe/weather", "DEVMODE=0600" },
		{ "add@/devices/virtual/kmsgpipe/pipe%ld", "ACTION=add", "MINOR=%ld", "DEVNAME=kmsgpipe%ld", "DEVMODE=0600" },
		{ "remove@/devices/virtual/kmsgpipe/pipe%ld", "ACTION=remove", "MINOR=%ld", "DEVNAME=kmsgpipe/weather", "SUBSYSTEM=kmsgpipe" },
		{ "remove@/devices/virtual/kmsgpipe/pipe%ld", "ACTION=remove", "MINOR=%ld", "DEVNAME=kmsgpipe%ld", "SUBSYSTEM=kmsgpipe" },
	};
	char text[4096], major_line[32], line[128];
	long ids[2];
	struct stat node;
	int netlink, i, k;

	ASSERT_EQ(0, stat(NODE, &node));
	snprintf(major_line, sizeof(major_line), "MAJOR=%u", major(node.st_rdev));
	netlink = open_uevents();
	ASSERT_LE(1, ids[0] = create_pipe(&named));
	ASSERT_LE(1, ids[1] = create_pipe(&unnamed));
	ASSERT_EQ(0, destroy_id(ids[0]));
	ASSERT_EQ(0, destroy_id(ids[1]));
	for (i = 0; i < 4; i++) {
		ASSERT_LT(0, next_uevent(netlink, text, sizeof(text)));
		for (k = 0; k < 5; k++) {
			snprintf(line, sizeof(line), expected[i][k], ids[i % 2]);
			EXPECT_TRUE(has_line(text, line)) TH_LOG("no %s in\n%s", line, text);
		}
		EXPECT_TRUE(has_line(text, "SUBSYSTEM=kmsgpipe"));
		EXPECT_TRUE(has_line(text, major_line));
	}
	EXPECT_EQ(-EAGAIN, next_uevent(netlink, text, sizeof(text)));
	/* A refused request sends no uevent. */
	named.msg_size = 0;
	ASSERT_EQ(-EINVAL, create_pipe(&named));
	EXPECT_EQ(-EAGAIN, next_uevent(netlink, text, sizeof(text)));
	close(netlink);
}

TEST_F(registry, the_node_exists_when_its_uevent_arrives)
{
	struct kmsgpipe_create create = named_pipe("ready");
	struct pollfd poll_fd;
	char text[4096];
	int netlink, fd;
	pid_t child;

	/* The pipe can be opened as soon as the uevent is received. */
	netlink = open_uevents();
	child = fork();
	if (!child)
		_exit(create_pipe(&create) < 1);
	poll_fd = (struct pollfd){ .fd = netlink, .events = POLLIN };
	while (next_uevent(netlink, text, sizeof(text)) == -EAGAIN)
		ASSERT_EQ(1, poll(&poll_fd, 1, -1));
	EXPECT_TRUE(has_line(text, "ACTION=add"));
	fd = open("/dev/kmsgpipe/ready", O_RDWR | O_CLOEXEC);
	EXPECT_LE(0, fd);
	EXPECT_EQ(1, write(fd, "x", 1));
	EXPECT_EQ(0, exit_of(child));
	close(fd);
	close(netlink);
}

TEST_F_TIMEOUT(registry, a_pipe_can_be_opened_when_its_uevent_arrives, 120)
{
	const unsigned int cycles = scaled(200);
	struct kmsgpipe_create create = named_pipe("announced");
	struct openers openers;
	unsigned int i, before;
	long id;

	start_openers(&openers, "/dev/kmsgpipe/announced");
	for (i = 0; i < cycles; i++) {
		before = __atomic_load_n(&openers.found, __ATOMIC_ACQUIRE);
		next_phase(&openers);
		id = create_pipe(&create);
		ASSERT_LT(0, id);
		await_tried(&openers, 1);
		await_found(&openers, before);
		next_phase(&openers);
		ASSERT_EQ(0, destroy_id(id));
	}
	stop_openers(&openers);
	EXPECT_EQ(0, openers.refused);
	EXPECT_EQ(cycles, openers.opened);
	EXPECT_EQ(0, openers.failed);
}

TEST_HARNESS_MAIN
