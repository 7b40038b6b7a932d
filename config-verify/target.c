/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens a container from outside.  Judges nothing.
 */

#include "config-verify/target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/mountinfo.h"
#include "config-verify/mounts.h"
#include "config-verify/namespace.h"

#define ENVIRONMENT_MAX (8u * 1024 * 1024) /* more than the kernel takes */
#define SAVED_MOUNTINFO "/proc/self/mountinfo"

/* What is judged and is no file. */
#define ENVIRONMENT  "environment"
#define KERNEL_WORDS "host name and addresses"

struct verify_target {
	struct verify_scene scene;
	struct verify_kernel_view view;
	struct seal_bytes environment;
	const char **variables;
	struct verify_unjudged unjudged;
};

void
verify_target_free(struct verify_target *target)
{
	if (target == NULL)
		return;
	seal_close(target->scene.root);
	seal_close(target->scene.proc);
	verify_kernel_view_release(&target->view);
	seal_bytes_release(&target->environment);
	free(target->variables);
	free(target);
}

void
verify_target_freep(struct verify_target **target)
{
	verify_target_free(SEAL_TAKE(*target));
}

const struct verify_scene *
verify_target_scene(const struct verify_target *target)
{
	return &target->scene;
}

const struct verify_unjudged *
verify_target_unjudged(const struct verify_target *target)
{
	return &target->unjudged;
}

static struct verify_target *
new_target(void)
{
	struct verify_target *target = calloc(1, sizeof(*target));

	if (target == NULL)
		return NULL;
	target->scene.root = -1;
	target->scene.proc = -1;
	seal_bytes_init(&target->environment, ENVIRONMENT_MAX);
	return target;
}

/* ---- A process ---- */

static int
open_process(struct verify_target *target, pid_t pid, struct seal_err *err)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%ld", (long)pid);
	target->scene.proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->scene.proc < 0 && errno == ENOENT)
		return seal_fail(err, SEAL_E_MISSING, "there is no process %ld", (long)pid);
	if (target->scene.proc < 0)
		return seal_fail_errno(err, errno, "process %ld", (long)pid);
	target->scene.root = openat(target->scene.proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->scene.root < 0)
		return seal_fail_errno(err, errno, "cannot look into process %ld", (long)pid);
	target->scene.links = verify_scene_links(target->scene.root);
	return 0;
}

/* The process may have written over it: a last variable without its end is one, and no text is none. */
static int
split_environment(struct verify_target *target, struct seal_err *err)
{
	const char *text = seal_bytes_str(&target->environment);
	const char *end = text + target->environment.len;
	size_t count = 0;

	for (const char *at = text; at < end; at += strlen(at) + 1)
		count++;
	target->variables = calloc(count + 1, sizeof(*target->variables));
	if (target->variables == NULL)
		return seal_fail_memory(err);
	count = 0;
	for (const char *at = text; at < end; at += strlen(at) + 1)
		target->variables[count++] = at;
	target->scene.environment = target->variables;
	return 0;
}

static int
read_environment(struct verify_target *target, struct seal_err *err)
{
	struct seal_err why = { 0 };
	int r = seal_fs_read(&target->environment, target->scene.proc, "environ", ENVIRONMENT_MAX,
			     &why);

	if (r == SEAL_E_MEMORY)
		return seal_fail_memory(err);
	if (r == 0)
		return split_environment(target, err);
	verify_unjudged_add(&target->unjudged, ENVIRONMENT, VERIFY_AS_FAILED, why.text);
	return 0;
}

static void
ask_kernel(struct verify_target *target)
{
	struct seal_err err = { 0 };

	if (verify_kernel_view_ask(&target->view, target->scene.proc, &err) < 0) {
		verify_unjudged_add(&target->unjudged, KERNEL_WORDS, VERIFY_AS_FAILED, err.text);
		return;
	}
	target->scene.self.hostname = target->view.hostname;
	target->scene.self.addresses = target->view.addresses;
	target->scene.self.address_count = target->view.address_count;
}

int
verify_target_of_process(struct verify_target **ret_target, pid_t pid, bool has_environment,
			 struct seal_err *err)
{
	SEAL_SCOPED(verify_target_freep) struct verify_target *target = new_target();
	int r;

	if (target == NULL)
		return seal_fail_memory(err);
	r = open_process(target, pid, err);
	if (r == 0 && has_environment)
		r = read_environment(target, err);
	else if (r == 0)
		verify_unjudged_add(&target->unjudged, ENVIRONMENT, VERIFY_AS_ASKED,
				    "left out (--no-env)");
	if (r < 0)
		return r;
	ask_kernel(target);
	target->scene.self.now = (uint64_t)time(NULL);
	*ret_target = SEAL_TAKE(target);
	return 0;
}

/* ---- A directory ---- */

static void
note_unsaved(struct verify_target *target)
{
	static const char *const names[] = { ENVIRONMENT, KERNEL_WORDS, "devices", "times" };

	for (size_t i = 0; i < SEAL_COUNT(names); i++)
		verify_unjudged_add(&target->unjudged, names[i], VERIFY_AS_ASKED,
				    "not in saved files");
}

int
verify_target_of_directory(struct verify_target **ret_target, const char *path,
			   struct seal_err *err)
{
	SEAL_SCOPED(verify_target_freep) struct verify_target *target = new_target();

	if (target == NULL)
		return seal_fail_memory(err);
	target->scene.root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target->scene.root < 0)
		return seal_fail_errno(err, errno, "cannot open the directory '%s'", path);
	target->scene.links = VERIFY_LINKS_ALL; /* of the image nothing is saved */
	note_unsaved(target);
	*ret_target = SEAL_TAKE(target);
	return 0;
}

/* ---- Files ---- */

/* Not yet for reading: to open a device, as only root may here, can do something. */
static int
open_within(int root, const char *path)
{
	return seal_fs_open_resolved(root, path, O_PATH, 0,
				     RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int
verify_target_read(const struct verify_target *target, const char *path, size_t max,
		   struct seal_bytes *out, struct seal_err *err)
{
	SEAL_SCOPED(seal_closep) int fd = open_within(target->scene.root, path);
	struct stat st;
	char name[32];
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return seal_fail_errno(err, errno, "'%s'", path);
	if (!S_ISREG(st.st_mode))
		return seal_fail(err, SEAL_E_REFUSED, "'%s' is no regular file", path);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	r = seal_fs_read(out, AT_FDCWD, name, max, err);
	return r < 0 ? seal_note(err, r, "'%s'", path) : 0;
}

int
verify_target_mountinfo(const struct verify_target *target, struct seal_bytes *out,
			struct seal_err *err)
{
	if (target->scene.proc >= 0)
		return seal_fs_read(out, target->scene.proc, "mountinfo", VERIFY_MOUNTINFO_MAX,
				    err);
	return verify_target_read(target, SAVED_MOUNTINFO, VERIFY_MOUNTINFO_MAX, out, err);
}
