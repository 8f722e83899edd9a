// SPDX-License-Identifier: GPL-2.0

/*
 * Constants and field offsets of the kernel that the module is built for, as
 * the C compiler knows them: constants that are casts in macros, which bindgen
 * leaves out, and the real offsets and sizes of structures. Kbuild compiles
 * this file to assembly, never links it, and generates constants for
 * src/kernel_ext/layout.rs from the assembly.
 */

#include <linux/cdev.h>
#include <linux/cred.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kbuild.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/pipe_fs_i.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/time_namespace.h>
#include <linux/wait.h>
#include <asm/ioctls.h>

int main(void)
{
	DEFINE(IOCB_AIO_RW, IOCB_AIO_RW);
	DEFINE(IOCB_NOWAIT, IOCB_NOWAIT);
	DEFINE(FIONREAD, FIONREAD);
	DEFINE(FMODE_NOWAIT, FMODE_NOWAIT);
	DEFINE(FMODE_READ, FMODE_READ);
	DEFINE(FMODE_WRITE, FMODE_WRITE);
	DEFINE(GFP_NOFAIL, __GFP_NOFAIL);
	DEFINE(GFP_NORETRY, __GFP_NORETRY);
	DEFINE(ATTRIBUTE_GROUP_SIZE, sizeof(struct attribute_group));
	DEFINE(CDEV_OPS, offsetof(struct cdev, ops));
	DEFINE(CDEV_OWNER, offsetof(struct cdev, owner));
	DEFINE(CLASS_ATTRIBUTE_SIZE, sizeof(struct class_attribute));
	DEFINE(CRED_EUID, offsetof(struct cred, euid));
	DEFINE(CRED_EGID, offsetof(struct cred, egid));
	DEFINE(CRED_GID, offsetof(struct cred, gid));
	DEFINE(CRED_UID, offsetof(struct cred, uid));
	DEFINE(CRED_USER_NS, offsetof(struct cred, user_ns));
	DEFINE(DEVICE_ATTRIBUTE_SIZE, sizeof(struct device_attribute));
	DEFINE(DEVICE_CLASS, offsetof(struct device, class));
	DEFINE(DEVICE_DEVT, offsetof(struct device, devt));
	DEFINE(DEVICE_POWER, offsetof(struct device, power));
	DEFINE(DEVICE_RELEASE, offsetof(struct device, release));
	DEFINE(DEVICE_SIZE, sizeof(struct device));
	DEFINE(DEVICE_TYPE, offsetof(struct device, type));
	DEFINE(DEVICE_TYPE_SIZE, sizeof(const struct device_type));
	DEFINE(DEV_PM_INFO_DRIVER_FLAGS, offsetof(struct dev_pm_info, driver_flags));
	DEFINE(FILE_F_FLAGS, offsetof(struct file, f_flags));
	DEFINE(FILE_F_LOCK, offsetof(struct file, f_lock));
	DEFINE(FILE_F_MODE, offsetof(struct file, f_mode));
	DEFINE(FILE_F_OP, offsetof(struct file, f_op));
	DEFINE(FILE_PRIVATE_DATA, offsetof(struct file, private_data));
	DEFINE(FILE_OPERATIONS_SIZE, sizeof(const struct file_operations));
	DEFINE(INODE_I_RDEV, offsetof(struct inode, i_rdev));
	DEFINE(KIOCB_KI_COMPLETE, offsetof(struct kiocb, ki_complete));
	DEFINE(KIOCB_KI_FILP, offsetof(struct kiocb, ki_filp));
	DEFINE(KIOCB_KI_FLAGS, offsetof(struct kiocb, ki_flags));
	DEFINE(KMEM_CACHE_ARGS_SIZE, sizeof(struct kmem_cache_args));
	DEFINE(LIST_HEAD_NEXT, offsetof(struct list_head, next));
	DEFINE(PIPE_HEAD, offsetof(struct pipe_inode_info, head));
	DEFINE(PIPE_INDEX_SIZE, sizeof(pipe_index_t));
	DEFINE(PIPE_MAX_USAGE, offsetof(struct pipe_inode_info, max_usage));
	DEFINE(PIPE_TAIL, offsetof(struct pipe_inode_info, tail));
	DEFINE(PAGE_PRIVATE, offsetof(struct page, private));
	DEFINE(PID_LEVEL, offsetof(struct pid, level));
	DEFINE(SEQ_OPERATIONS_SIZE, sizeof(const struct seq_operations));
	DEFINE(TASK_CRED, offsetof(struct task_struct, cred));
	DEFINE(TASK_NSPROXY, offsetof(struct task_struct, nsproxy));
	DEFINE(TASK_STATE, offsetof(struct task_struct, __state));
	DEFINE(TASK_THREAD_PID, offsetof(struct task_struct, thread_pid));
	DEFINE(TASK_TGID, offsetof(struct task_struct, tgid));
	DEFINE(TASK_PAGEFAULT_DISABLED, offsetof(struct task_struct, pagefault_disabled));
	DEFINE(NSPROXY_TIME_NS, offsetof(struct nsproxy, time_ns));
	DEFINE(TIME_NS_MONOTONIC, offsetof(struct time_namespace, offsets.monotonic));
	DEFINE(TIMESPEC_SIZE, sizeof(struct timespec64));
	DEFINE(WAIT_QUEUE_HEAD_HEAD, offsetof(struct wait_queue_head, head));
	DEFINE(WAIT_QUEUE_HEAD_SIZE, sizeof(struct wait_queue_head));
	return 0;
}
