// SPDX-License-Identifier: GPL-2.0
/* kmsgpipectl chat: users on terminals, which talk over a broadcast pipe. */
#include "lib/files.h"
#include "lib/harness.h"
#include "lib/pipe.h"
#include "lib/registry.h"
#include "lib/terminal.h"
#include "lib/views.h"

#include <sched.h>
#include <sys/mount.h>

#define ROOM "/dev/kmsgpipe/room"
#define ALICE 2000000001
#define BOB 2000000002

/* The users of the tests have names. Nothing else sees that. */
static void name_users(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/passwd", getenv("LAB_WORK"));
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644)) ||
	    spill(path, "root:x:0:0::/:\nalice:x:2000000001:1::/:\nbob:x:2000000002:1::/:\n") < 0 ||
	    mount(path, "/etc/passwd", NULL, MS_BIND, NULL))
		ksft_exit_fail_msg("cannot give the users names: %s\n", strerror(errno));
}

/*
 * A room for eight messages of up to 256 bytes that all users may use, with a history of four, and a subscription that
 * reads nothing.
 */
FIXTURE(room)
{
	long id;
	int writer;
	int stopped;
	struct terminal alice;
	struct terminal bob;
};

FIXTURE_SETUP(room)
{
	struct kmsgpipe_create create = named_pipe("room");

	create.kind = KMSGPIPE_KIND_BROADCAST;
	create.msg_size = 256;
	create.max_msgs = 8;
	create.history = 4;
	create.mode = 0666;
	destroy_all_pipes();
	name_users();
	ASSERT_LE(1, self->id = create_pipe(&create));
	self->writer = open(ROOM, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	ASSERT_LE(0, self->writer);
	self->stopped = -1;
}

FIXTURE_TEARDOWN(room)
{
	if (self->stopped >= 0)
		close(self->stopped);
	if (self->alice.master)
		close_terminal(&self->alice);
	if (self->bob.master)
		close_terminal(&self->bob);
	close(self->writer);
	destroy_all_pipes();
}

static void alice_joins(struct terminal *alice)
{
	start_on_terminal(alice, ALICE, (const char *[]){ "kmsgpipectl", "chat", "--nick", "al", "room", NULL });
}

static void bob_joins(struct terminal *bob)
{
	start_on_terminal(bob, BOB, (const char *[]){ "kmsgpipectl", "chat", "room", NULL });
}

TEST_F_TIMEOUT(room, users_talk, 120)
{
	struct terminal *alice = &self->alice, *bob = &self->bob;

	EXPECT_EQ(6, write_text(self->writer, "early\n"));
	alice_joins(alice);
	ASSERT_TRUE(await_line(alice, "...:...:... * alice (al) joined"));
	EXPECT_TRUE(await_line(alice, "...:...:... root: early"));
	EXPECT_TRUE(await_line(alice, "alice (al)>"));
	bob_joins(bob);
	/* The history comes first. */
	ASSERT_TRUE(await_line(bob, "...:...:... * bob joined"));
	EXPECT_TRUE(shows(bob, "...:...:... root: early"));
	EXPECT_TRUE(shows(bob, "...:...:... * alice (al) joined"));
	ASSERT_TRUE(await_line(alice, "...:...:... * bob joined"));
	type(alice, "good morning\r");
	EXPECT_TRUE(await_line(alice, "...:...:... alice (al): good morning"));
	EXPECT_TRUE(await_line(bob, "...:...:... alice (al): good morning"));
	EXPECT_TRUE(await_line(alice, "alice (al)>"));
	/* A shell takes part, in both directions. */
	EXPECT_EQ(0, system("echo hello > " ROOM));
	EXPECT_TRUE(await_line(alice, "...:...:... root: hello"));
	EXPECT_TRUE(await_line(bob, "...:...:... root: hello"));
}

TEST_F_TIMEOUT(room, the_line_survives_what_arrives, 120)
{
	struct terminal *bob = &self->bob;

	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, "half a li");
	ASSERT_TRUE(await_line(bob, "bob> half a li"));
	EXPECT_EQ(6, write_text(self->writer, "other\n"));
	EXPECT_TRUE(await_line(bob, "...:...:... root: other"));
	settle(bob);
	EXPECT_STREQ("bob> half a li", cursor_line(bob));
	/* To the beginning of the line, where a letter is inserted, and back. */
	type(bob, "\001A \005ne\r");
	EXPECT_TRUE(await_line(bob, "...:...:... bob: A half a line"));
	settle(bob);
	EXPECT_STREQ("bob>", cursor_line(bob));
	/* The arrow keys find what was sent. */
	type(bob, "draft\033[A");
	EXPECT_TRUE(await_line(bob, "bob> A half a line"));
	type(bob, "\033[B");
	EXPECT_TRUE(await_line(bob, "bob> draft"));
}

TEST_F_TIMEOUT(room, a_line_of_several_rows_survives_when_the_screen_scrolls, 120)
{
	struct terminal *bob = &self->bob;
	char line[151], rows[2][TERMINAL_COLUMNS + 1], message[32];
	int i;

	for (i = 0; i < 150; i++)
		line[i] = 'a' + i % 26;
	line[150] = 0;
	/* Behind the prompt of five characters. */
	snprintf(rows[0], sizeof(rows[0]), "bob> %.75s", line);
	snprintf(rows[1], sizeof(rows[1]), "%s", line + 75);
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, line);
	ASSERT_TRUE(await_line(bob, rows[1]));
	for (i = 0; i < 40; i++) {
		snprintf(message, sizeof(message), "message %d\n", i);
		ASSERT_LT(0, write_text(self->writer, message));
		snprintf(message, sizeof(message), "...:...:... root: message %d", i);
		ASSERT_TRUE(await_line(bob, message));
	}
	settle(bob);
	/* The last messages are above both rows, and nothing is left of earlier ones. */
	EXPECT_TRUE(shows(bob, rows[0]));
	EXPECT_STREQ(rows[1], cursor_line(bob));
	EXPECT_EQ(TERMINAL_ROWS - 1, bob->row);
	for (i = 18; i < 40; i++) {
		snprintf(message, sizeof(message), "...:...:... root: message %d", i);
		EXPECT_TRUE(shows(bob, message)) TH_LOG("no message %d\n%s", i, screen_of(bob));
	}
}

/* The scene of the picture in docs/tutorial.md. docs/pictures/chat sets CHAT_SCENE and draws what this prints. */
TEST_F_TIMEOUT(room, the_scene_of_the_tutorial, 120)
{
	struct terminal *alice = &self->alice, *bob = &self->bob;
	struct {
		struct terminal *terminal;
		const char *keys;
		const char *line;
	} steps[] = {
		{ alice, "good morning\r", "...:...:... alice: good morning" },
		{ bob, "is the build done?\r", "...:...:... bob (builder): is the build done?" },
		{ alice, "nearly: the tests are still running\r", "...:...:... alice: nearly: the tests are still running" },
	};
	unsigned int i;

	start_on_terminal(alice, ALICE, (const char *[]){ "kmsgpipectl", "chat", "room", NULL });
	ASSERT_TRUE(await_line(alice, "...:...:... * alice joined"));
	start_on_terminal(bob, BOB, (const char *[]){ "kmsgpipectl", "chat", "--nick", "builder", "room", NULL });
	ASSERT_TRUE(await_line(bob, "...:...:... * bob (builder) joined"));
	ASSERT_TRUE(await_line(alice, "...:...:... * bob (builder) joined"));
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		type(steps[i].terminal, steps[i].keys);
		EXPECT_TRUE(await_line(alice, steps[i].line));
		EXPECT_TRUE(await_line(bob, steps[i].line));
	}
	/* Bob types while a message arrives. */
	type(bob, "then I shall wa");
	EXPECT_TRUE(await_line(bob, "bob (builder)> then I shall wa"));
	EXPECT_EQ(0, system("echo 'build 17 is done' > " ROOM));
	EXPECT_TRUE(await_line(alice, "...:...:... root: build 17 is done"));
	EXPECT_TRUE(await_line(bob, "...:...:... root: build 17 is done"));
	EXPECT_TRUE(await_line(bob, "bob (builder)> then I shall wa"));
	EXPECT_TRUE(await_line(alice, "alice>"));
	if (getenv("CHAT_SCENE")) {
		ksft_print_msg("alice$ kmsgpipectl chat room\n%s", screen_of(alice));
		ksft_print_msg("bob$ kmsgpipectl chat --nick builder room\n%s", screen_of(bob));
	}
}

TEST_F_TIMEOUT(room, ctrl_d_leaves, 120)
{
	struct terminal *alice = &self->alice, *bob = &self->bob;

	alice_joins(alice);
	ASSERT_TRUE(await_line(alice, "alice (al)>"));
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	EXPECT_FALSE(is_for_a_shell(alice));
	type(alice, "\004");
	EXPECT_EQ(0, await_end(alice));
	EXPECT_TRUE(is_for_a_shell(alice));
	EXPECT_TRUE(await_line(bob, "...:...:... * alice (al) left"));
}

TEST_F_TIMEOUT(room, ctrl_c_clears_the_line_and_then_leaves, 120)
{
	struct terminal *bob = &self->bob;

	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, "never mind");
	ASSERT_TRUE(await_line(bob, "bob> never mind"));
	type(bob, "\003");
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, "\003");
	EXPECT_EQ(0, await_end(bob));
	EXPECT_TRUE(is_for_a_shell(bob));
	EXPECT_FALSE(shows(bob, "...never mind..."));
}

TEST_F_TIMEOUT(room, a_signal_leaves, 120)
{
	struct terminal *alice = &self->alice, *bob = &self->bob;

	alice_joins(alice);
	ASSERT_TRUE(await_line(alice, "alice (al)>"));
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	kill(bob->pid, SIGTERM);
	EXPECT_EQ(SIGTERM, await_end(bob) & 0x7f);
	EXPECT_TRUE(is_for_a_shell(bob));
	EXPECT_TRUE(await_line(alice, "...:...:... * bob left"));
}

TEST_F_TIMEOUT(room, a_terminal_that_is_gone_leaves, 120)
{
	struct terminal *alice = &self->alice, *bob = &self->bob;

	alice_joins(alice);
	ASSERT_TRUE(await_line(alice, "alice (al)>"));
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	close(bob->master);
	bob->master = -1;
	EXPECT_EQ(SIGHUP, await_end(bob) & 0x7f);
	EXPECT_TRUE(await_line(alice, "...:...:... * bob left"));
}

TEST_F_TIMEOUT(room, a_long_line_is_refused_and_kept, 120)
{
	struct terminal *bob = &self->bob;
	char line[250];

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = 0;
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, line);
	type(bob, " yyyyyyyyyy\r");
	/* 249, 11 and a newline. */
	ASSERT_TRUE(await_line(bob, "-- not sent: a message of 261 bytes is too long for..."));
	EXPECT_TRUE(await_line(bob, "...xxx yyyyyyyyyy"));
	/* Ctrl-W removes the last word. */
	type(bob, "\027\r");
	EXPECT_TRUE(await_line(bob, "...:...:... bob: xxx..."));
	EXPECT_TRUE(await_line(bob, "bob>"));
}

TEST_F_TIMEOUT(room, the_screen_is_not_controlled_by_others, 120)
{
	struct terminal *bob = &self->bob;

	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	EXPECT_LT(0, write_text(self->writer, "a\033[2J\033]0;title\007\r\302\233b\n"));
	EXPECT_TRUE(await_line(bob, "...:...:... root: a\\u{1b}[2J\\u{1b}]0;title\\u{7}\\u{d}\\u{9b}b"));
	EXPECT_EQ(NULL, memmem(bob->output, bob->output_len, "\033[2J", 4));
	EXPECT_EQ(NULL, memmem(bob->output, bob->output_len, "\033]", 2));
	/* Nobody joins, leaves or speaks for another user. */
	EXPECT_LT(0, write_text(self->writer, "* alice joined\n"));
	EXPECT_TRUE(await_line(bob, "...:...:... root: * alice joined"));
	EXPECT_LT(0, write_text(self->writer, "<alice> I agree\n"));
	EXPECT_TRUE(await_line(bob, "...:...:... root (alice): I agree"));
	EXPECT_LT(0, write_text(self->writer, "hi\n10:15:00 alice: I agree\n"));
	EXPECT_TRUE(await_line(bob, "           10:15:00 alice: I agree"));
}

TEST_F_TIMEOUT(room, destruction_ends_the_chat, 120)
{
	struct terminal *bob = &self->bob;
	int status;

	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	type(bob, "half");
	ASSERT_TRUE(await_line(bob, "bob> half"));
	EXPECT_EQ(0, destroy_pipe(self->writer));
	status = await_end(bob);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(3, WEXITSTATUS(status));
	EXPECT_TRUE(is_for_a_shell(bob));
	EXPECT_TRUE(shows(bob, "kmsgpipectl: cannot receive from /dev/kmsgpipe/room: ...(ENODEV)...")) TH_LOG("%s", screen_of(bob));
}

TEST_F_TIMEOUT(room, a_full_pipe_does_not_freeze_the_screen, 120)
{
	struct terminal *bob = &self->bob;
	char byte[256];

	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	self->stopped = open(ROOM, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->stopped);
	/* It begins with the history, which is bob's joining. */
	ASSERT_LT(0, read(self->stopped, byte, sizeof(byte)));
	/* Until then, the chat may be behind, too, and make room later. */
	while (fdinfo_number(self->stopped, "kmsgpipe-lag-msgs") < 8)
		write_text(self->writer, "fill\n");
	type(bob, "hello\r");
	ASSERT_TRUE(await_line(bob, "-- not sent: cannot send to /dev/kmsgpipe/room: it stayed full for 200ms..."));
	EXPECT_TRUE(await_line(bob, "bob> hello"));
	/* The user goes on typing, and then there is space. */
	type(bob, " again");
	EXPECT_TRUE(await_line(bob, "bob> hello again"));
	ASSERT_LT(0, read(self->stopped, byte, sizeof(byte)));
	type(bob, "\r");
	EXPECT_TRUE(await_line(bob, "...:...:... bob: hello again"));
}

static void set_overflow(long id, const char *policy)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/kmsgpipe/pipe%ld/overflow", id);
	if (spill(path, policy) < 0)
		ksft_exit_fail_msg("cannot set the policy in %s\n", path);
}

TEST_F_TIMEOUT(room, losses_are_shown, 120)
{
	struct terminal *bob = &self->bob;
	int i;

	set_overflow(self->id, "drop-oldest");
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	kill(bob->pid, SIGSTOP);
	for (i = 0; i < 11; i++)
		EXPECT_EQ(5, write_text(self->writer, "fill\n"));
	kill(bob->pid, SIGCONT);
	EXPECT_TRUE(await_line(bob, "-- ... messages lost"));
	EXPECT_TRUE(await_line(bob, "bob>"));
}

TEST_F_TIMEOUT(room, a_discarded_message_is_noticed, 120)
{
	struct terminal *bob = &self->bob;

	set_overflow(self->id, "drop-newest");
	bob_joins(bob);
	ASSERT_TRUE(await_line(bob, "bob>"));
	self->stopped = open(ROOM, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->stopped);
	type(bob, "1\r2\r3\r4\r5\r6\r7\r8\r9\r");
	EXPECT_TRUE(await_line(bob, "-- the pipe is full and discards new messages"));
	EXPECT_TRUE(await_line(bob, "bob>"));
}

TEST_F_TIMEOUT(room, a_chat_needs_a_broadcast_pipe, 120)
{
	struct terminal *bob = &self->bob;
	int status;

	start_on_terminal(bob, 0, (const char *[]){ "kmsgpipectl", "chat", "0", NULL });
	status = await_end(bob);
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(2, WEXITSTATUS(status));
	EXPECT_TRUE(shows(bob, "...cannot chat over /dev/kmsgpipe0: it is a queue...")) TH_LOG("%s", screen_of(bob));
}

TEST_HARNESS_MAIN
