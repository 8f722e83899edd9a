// SPDX-License-Identifier: GPL-2.0
#include "lib/missing.h"
#include "lib/memory.h"

#include <linux/userfaultfd.h>
#include <sys/syscall.h>

int make_missing(char *page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)page, PAGE_SIZE }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &range))
		abort();
	return uffd;
}

int missing_page(char **page)
{
	*page = map_pages(PAGE_SIZE);
	return make_missing(*page);
}

void await_fault(int uffd)
{
	struct uffd_msg event;

	if (read(uffd, &event, sizeof(event)) != sizeof(event) || event.event != UFFD_EVENT_PAGEFAULT)
		abort();
}

void resolve_fault(int uffd, char *page)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)page, PAGE_SIZE } };

	if (ioctl(uffd, UFFDIO_ZEROPAGE, &zero))
		abort();
}

void resolve_fault_with(int uffd, char *page, const void *content, size_t len)
{
	static char source[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
	struct uffdio_copy copy = { .dst = (uintptr_t)page, .src = (uintptr_t)source, .len = PAGE_SIZE };

	memset(source, 0, PAGE_SIZE);
	memcpy(source, content, len);
	if (ioctl(uffd, UFFDIO_COPY, &copy))
		abort();
}
