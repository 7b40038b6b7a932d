/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for noticing that a source may have changed: inotify where the kernel grants it.  What is
 * told is a hint to read again and is believed no further.
 */

#include <errno.h>
#include <stdalign.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"
#include "config-verify/source.h"

/* ..data being renamed is IN_MOVED_TO; the others are for plain files, and for directories replaced. */
#define WATCHED                                                                                    \
	(IN_MOVE | IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF |        \
	 IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)
#define MAX_READS 64 /* of one call: who writes without end does not hold us here */

struct verify_watch {
	struct seal_strv paths;
	int *wds; /* -1: not watched at present */
	int fd;
};

void
verify_watch_free(struct verify_watch *watch)
{
	if (watch == NULL)
		return;
	seal_closep(&watch->fd);
	seal_strv_release(&watch->paths);
	free(watch->wds);
	free(watch);
}

void
verify_watch_freep(struct verify_watch **watch)
{
	verify_watch_free(SEAL_TAKE(*watch));
}

/* Begin again with what is not watched: a directory may have been replaced.  True: it is now. */
static bool
add(struct verify_watch *watch, size_t index)
{
	if (watch->fd < 0 || watch->wds[index] >= 0)
		return false;
	watch->wds[index] = inotify_add_watch(watch->fd, watch->paths.items[index], WATCHED);
	return watch->wds[index] >= 0;
}

int
verify_watch_new(struct verify_watch **ret_watch, const char *const *paths, size_t count,
		 struct seal_err *err)
{
	SEAL_SCOPED(verify_watch_freep) struct verify_watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (watch == NULL)
		return seal_fail_memory(err);
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->wds = calloc(count + 1, sizeof(*watch->wds));
	if (watch->wds == NULL)
		return seal_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		r = seal_strv_add(&watch->paths, paths[i], err);
		if (r < 0)
			return r;
		watch->wds[i] = -1;
		(void)add(watch, i);
	}
	*ret_watch = SEAL_TAKE(watch);
	return 0;
}

int
verify_watch_fd(const struct verify_watch *watch)
{
	return watch->fd;
}

static void
take(struct verify_watch *watch, const struct inotify_event *event, bool *changed)
{
	for (size_t i = 0; i < watch->paths.count; i++) {
		if ((event->mask & IN_Q_OVERFLOW) == 0 && event->wd != watch->wds[i])
			continue;
		changed[i] = true;
		if ((event->mask & IN_IGNORED) != 0)
			watch->wds[i] = -1;
	}
}

void
verify_watch_read(struct verify_watch *watch, bool *changed)
{
	alignas(struct inotify_event) char events[4096];
	ssize_t len = 1;

	for (unsigned reads = 0; watch->fd >= 0 && len > 0 && reads < MAX_READS; reads++) {
		do
			len = read(watch->fd, events, sizeof(events));
		while (len < 0 && errno == EINTR);
		for (ssize_t at = 0; at < len;) {
			const struct inotify_event *event =
				(const struct inotify_event *)(const void *)(events + at);

			take(watch, event, changed);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	for (size_t i = 0; i < watch->paths.count; i++)
		if (add(watch, i))
			changed[i] = true;
}
