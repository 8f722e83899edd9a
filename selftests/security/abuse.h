/* SPDX-License-Identifier: GPL-2.0 */
/* The users of this program. */
#ifndef SELFTESTS_SECURITY_ABUSE_H
#define SELFTESTS_SECURITY_ABUSE_H

/* Two users without privilege. */
#define ABUSER 1000
#define NEIGHBOUR 1001

/* Gives up all capabilities and becomes this user. */
void become(unsigned int id);

#endif
