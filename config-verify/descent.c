/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who descends from whom, by /proc.  All that it has of processes is looked through: lists of children
 * (proc_pid_task(5)) are not in every kernel.  Knows nothing of why anybody is to end.
 */

#include "config-verify/descent.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes/bytes.h"
#include "base/fs/fs.h"

#define MAX_ROUNDS 100
#define ROUND_MS   10  /* for who was killed to die */
#define MAX_DEPTH  512 /* of descent; lines that change while they are read could be circles */
#define STAT_LEN   512

struct verify_descent {
	DIR *proc;
};

struct kin {
	char state;
	pid_t parent;
};

/* ---- /proc ---- */

static bool
is_ours(int proc)
{
	struct statfs fs;
	char self[32];
	char want[32];
	const ssize_t len = readlinkat(proc, "self", self, sizeof(self) - 1);

	self[len < 0 ? 0 : len] = '\0';
	(void)snprintf(want, sizeof(want), "%ld", (long)getpid());
	return fstatfs(proc, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC && strcmp(self, want) == 0;
}

int
verify_descent_new(struct verify_descent **ret_descent, struct seal_err *err)
{
	SEAL_SCOPED(verify_descent_freep)
	struct verify_descent *descent = calloc(1, sizeof(*descent));

	if (descent == NULL)
		return seal_fail_memory(err);
	descent->proc = opendir("/proc");
	if (descent->proc == NULL || !is_ours(dirfd(descent->proc)))
		return seal_fail(err, SEAL_E_SYSTEM, "no /proc that tells of our processes");
	*ret_descent = SEAL_TAKE(descent);
	return 0;
}

void
verify_descent_free(struct verify_descent *descent)
{
	if (descent == NULL)
		return;
	if (descent->proc != NULL)
		(void)closedir(descent->proc); /* it was read only */
	free(descent);
}

void
verify_descent_freep(struct verify_descent **descent)
{
	verify_descent_free(SEAL_TAKE(*descent));
}

int
verify_descent_fd(const struct verify_descent *descent)
{
	return dirfd(descent->proc);
}

/* proc_pid_stat(5): PID (NAME) STATE PARENT …; a name may hold anything. */
static bool
read_kin(int proc, pid_t pid, struct kin *ret_kin)
{
	char text[STAT_LEN];
	char path[32];
	const char *end;
	long parent;
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof(path), "%ld/stat", (long)pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	len = read(fd, text, sizeof(text) - 1);
	seal_close(fd);
	text[len < 0 ? 0 : len] = '\0';
	end = strrchr(text, ')');
	if (end == NULL || sscanf(end, ") %c %ld", &ret_kin->state, &parent) != 2)
		return false;
	ret_kin->parent = (pid_t)parent;
	return true;
}

/* ---- Ending ---- */

/* Who is dead already has no descendants, and needs no killing. */
static bool
is_descendant(int proc, pid_t pid, pid_t ancestor)
{
	struct kin kin;

	if (!read_kin(proc, pid, &kin) || kin.state == 'Z' || kin.state == 'X')
		return false;
	for (unsigned depth = 0; depth < MAX_DEPTH && kin.parent > 1; depth++) {
		if (kin.parent == ancestor)
			return true;
		if (!read_kin(proc, kin.parent, &kin))
			return false;
	}
	return false;
}

/* How many there were. */
static size_t
kill_round(DIR *proc, pid_t ancestor)
{
	const struct dirent *entry;
	size_t killed = 0;

	rewinddir(proc);
	while ((entry = readdir(proc)) != NULL) {
		const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && pid != getpid() && is_descendant(dirfd(proc), pid, ancestor) &&
		    kill(pid, SIGKILL) == 0)
			killed++;
	}
	return killed;
}

void
verify_descent_kill(struct verify_descent *descent, pid_t ancestor)
{
	const struct timespec pause = { .tv_nsec = ROUND_MS * 1000000L };

	if (ancestor == 1) {
		(void)kill(-1, SIGKILL); /* of this namespace; there may be nobody left */
		return;
	}
	for (unsigned round = 0; kill_round(descent->proc, ancestor) > 0; round++) {
		if (round == MAX_ROUNDS)
			return;
		(void)nanosleep(&pause, NULL); /* shorter does no harm */
	}
}
