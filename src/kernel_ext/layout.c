// SPDX-License-Identifier: GPL-2.0

/*
 * What only the C compiler knows of the kernel that the module is built for:
 * constants that are casts in macros, which bindgen leaves out, and where
 * fields really are. Compiled to assembly, never linked; Kbuild turns it into
 * constants for src/kernel_ext/layout.rs.
 */

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kbuild.h>
#include <linux/sched.h>

int main(void)
{
	DEFINE(IOCB_NOWAIT, IOCB_NOWAIT);
	DEFINE(FMODE_NOWAIT, FMODE_NOWAIT);
	DEFINE(CRED_EUID, offsetof(struct cred, euid));
	DEFINE(CRED_EGID, offsetof(struct cred, egid));
	DEFINE(FILE_F_MODE, offsetof(struct file, f_mode));
	DEFINE(FILE_PRIVATE_DATA, offsetof(struct file, private_data));
	DEFINE(KIOCB_KI_FLAGS, offsetof(struct kiocb, ki_flags));
	DEFINE(TASK_CRED, offsetof(struct task_struct, cred));
	DEFINE(TASK_TGID, offsetof(struct task_struct, tgid));
	DEFINE(TASK_PAGEFAULT_DISABLED, offsetof(struct task_struct, pagefault_disabled));
	return 0;
}
