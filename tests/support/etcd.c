/* SPDX-License-Identifier: Apache-2.0 */
/* See etcd.h. */
#include "tests/support/etcd.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLE "SEAL_TESTS_ETCD"

static struct etcd shared;

static bool
read_ready(struct etcd *etcd)
{
	char path[96], line[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/ready", etcd->dir);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "endpoints=", 10) == 0) {
			(void)snprintf(etcd->where, sizeof(etcd->where), "etcd:%.240s", line + 10);
		} else if (strncmp(line, "pids=", 5) == 0) {
			char *at = line + 5;

			for (size_t i = 0; i < ETCD_MEMBERS && *at != '\0'; i++)
				etcd->members[i] = (pid_t)strtol(at, &at, 10);
		}
	}
	(void)fclose(file);
	(void)snprintf(etcd->ca, sizeof(etcd->ca), "%s/ca.pem", etcd->dir);
	(void)snprintf(etcd->cert, sizeof(etcd->cert), "%s/cert.pem", etcd->dir);
	(void)snprintf(etcd->key, sizeof(etcd->key), "%s/key.pem", etcd->dir);
	return true;
}

static void
run_script(const struct etcd *etcd, unsigned members, int in)
{
	char count[16];

	(void)snprintf(count, sizeof(count), "%u", members);
	(void)dup2(in, STDIN_FILENO);
	(void)execl(SEAL_SOURCE_DIR "/tests/support/etcd.sh", "etcd.sh", etcd->dir, count,
		    (char *)NULL);
	_exit(1);
}

bool
etcd_start(struct etcd *etcd, unsigned members)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int fds[2];
	int status;

	memset(etcd, 0, sizeof(*etcd));
	(void)snprintf(etcd->dir, sizeof(etcd->dir), "/dev/shm/seal-etcd-XXXXXX");
	if (mkdtemp(etcd->dir) == NULL || pipe2(fds, O_CLOEXEC) < 0)
		abort();
	etcd->pid = fork();
	if (etcd->pid == 0)
		run_script(etcd, members, fds[0]);
	(void)close(fds[0]);
	etcd->hold = fds[1];
	while (!read_ready(etcd)) {
		if (waitpid(etcd->pid, &status, WNOHANG) == etcd->pid) {
			(void)fprintf(stderr, "no etcd here, or it does not start\n");
			(void)close(etcd->hold);
			etcd->pid = 0;
			return false;
		}
		(void)nanosleep(&moment, NULL);
	}
	return true;
}

void
etcd_stop(struct etcd *etcd)
{
	if (etcd->pid == 0)
		return;
	(void)close(etcd->hold);
	(void)waitpid(etcd->pid, NULL, 0);
	etcd->pid = 0;
}

/* Every thread stops when it next looks. */
static bool
stands_still(pid_t member)
{
	char path[64], stat[512];
	struct dirent *entry;
	bool still = true;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%ld/task", (long)member);
	dir = opendir(path);
	while (dir != NULL && still && (entry = readdir(dir)) != NULL) {
		const char *state;
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%ld/task/%.20s/stat", (long)member,
			       entry->d_name);
		file = fopen(path, "re");
		if (file == NULL)
			continue;
		state = fgets(stat, sizeof(stat), file) != NULL ? strrchr(stat, ')') : NULL;
		still = state != NULL && state[2] == 'T';
		(void)fclose(file);
	}
	if (dir != NULL)
		(void)closedir(dir);
	return still;
}

void
etcd_freeze(pid_t member)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	(void)kill(member, SIGSTOP);
	while (!stands_still(member))
		(void)nanosleep(&moment, NULL);
}

void
etcd_thaw(pid_t member)
{
	(void)kill(member, SIGCONT);
}

void
etcd_share(unsigned members)
{
	if (etcd_start(&shared, members))
		(void)setenv(VARIABLE, shared.dir, 1);
}

bool
etcd_shared(struct etcd *ret_etcd)
{
	const char *dir = getenv(VARIABLE);

	memset(ret_etcd, 0, sizeof(*ret_etcd));
	if (dir == NULL)
		return false;
	(void)snprintf(ret_etcd->dir, sizeof(ret_etcd->dir), "%s", dir);
	return read_ready(ret_etcd);
}
