/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proposal, put together from its parts.
 */

#include "config-verify/learn_internal.h"

#include <stdlib.h>
#include <string.h>

#include "config-verify/mounts_internal.h"

int
learn_ask(struct verify_findings **ret_findings, const struct seal_json *json,
	  const struct verify_sight *sight, learn_judge judge, struct seal_err *err)
{
	SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;
	int r;

	if (seal_json_has_failed(json))
		return seal_fail_memory(err);
	r = verify_policy_parse(&policy, json, err);
	if (r == 0)
		r = verify_findings_new(&findings, err);
	if (r < 0)
		return seal_note(err, r, "what was seen cannot be said in a policy");
	judge(sight, policy, findings);
	*ret_findings = SEAL_TAKE(findings);
	return 0;
}

struct seal_json *
learn_renew_object(struct seal_json *json, const char *name)
{
	seal_json_free(seal_json_take(json, name));
	return seal_json_set_object(json, name);
}

struct seal_json *
learn_renew_array(struct seal_json *json, const char *name)
{
	seal_json_free(seal_json_take(json, name));
	return seal_json_set_array(json, name);
}

bool
learn_can_say(const char *section, const struct seal_json *value)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	SEAL_SCOPED(verify_policy_freep) struct verify_policy *policy = NULL;

	seal_json_set_u64(json, "version", 1);
	seal_json_set_copy(json, section, value);
	return !seal_json_has_failed(json) && verify_policy_parse(&policy, json, NULL) == 0;
}

bool
learn_can_say_text(const char *section, const char *member, bool is_list, const char *text)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *value = seal_json_new();

	if (is_list)
		seal_json_add_str(seal_json_set_array(value, member), text);
	else
		seal_json_set_str(value, member, text);
	return !seal_json_has_failed(value) && learn_can_say(section, value);
}

/* ---- The root ---- */

static void
learn_root(struct seal_json *json, const struct verify_sight *sight)
{
	const struct verify_mount *mount = verify_mount_of(sight->info, "/");
	struct seal_json *root;
	size_t layers;

	if (mount == NULL || !learn_can_say_text("root", "types", true, mount->type))
		return; /* the judge says so */
	root = seal_json_set_object(json, "root");
	seal_json_add_str(seal_json_set_array(root, "types"), mount->type);
	layers = strcmp(mount->type, "overlay") == 0 ? verify_overlay_layers(mount->super) : 0;
	if (layers > 0)
		seal_json_set_u64(root, "layers", layers);
}

/* ---- Mounts ---- */

static void
judge_mounts(const struct verify_sight *sight, const struct verify_policy *policy,
	     struct verify_findings *findings)
{
	verify_mounts_judge(sight->info, policy, VERIFY_LINKS_ALL, findings);
}

static bool
is_account(const char *path)
{
	static const char whole[] = VERIFY_ACCOUNT_DIR;

	/* /var/run is a link to /run in most images */
	return strcmp(path, whole) == 0 || strcmp(path, &whole[strlen("/var")]) == 0;
}

static bool
is_shared_device(const struct verify_mountinfo *info, const struct verify_mount *mount)
{
	for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
		const struct verify_mount *other = verify_mountinfo_at(info, i);

		if (other != mount && verify_mount_is_same_device(other, mount))
			return true;
	}
	return false;
}

/* Memory that the container cannot write was filled by the host: a volume, as a Secret's is. */
static const char *
source_of(const struct verify_mountinfo *info, const struct verify_mount *mount)
{
	if (is_account(mount->point))
		return "account";
	return strcmp(mount->type, "tmpfs") == 0 && strcmp(mount->root, "/") == 0 &&
			       !verify_mount_has(mount->options, "ro") &&
			       !is_shared_device(info, mount)
		       ? "memory"
		       : "volume";
}

/* Where the root itself receives mounts, those below it do for no reason of their own. */
static void
put_propagation(struct seal_json *json, const struct verify_mountinfo *info,
		const struct verify_mount *mount)
{
	const struct verify_mount *root = verify_mount_of(info, "/");

	if (root == NULL || root->shared != 0 || root->master != 0)
		return;
	if (mount->shared != 0)
		seal_json_set_str(json, "propagation", "Bidirectional");
	else if (mount->master != 0)
		seal_json_set_str(json, "propagation", "HostToContainer");
}

static void
put_mount(struct seal_json *list, const struct verify_mountinfo *info,
	  const struct verify_mount *mount)
{
	struct seal_json *json = seal_json_add_object(list);

	seal_json_set_str(json, "path", mount->point);
	seal_json_set_str(json, "source", source_of(info, mount));
	if (verify_mount_has(mount->options, "ro"))
		seal_json_set_bool(json, "readOnly", true);
	put_propagation(json, info, mount);
}

/* A path may hold what no text can. */
static bool
can_say_mount(const struct verify_mountinfo *info, const struct verify_mount *mount)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *list = seal_json_set_array(json, "mounts");

	put_mount(list, info, mount);
	return !seal_json_has_failed(json) && learn_can_say("mounts", list);
}

/* A second mount at a path lies over the first, and that is not learned. */
static bool
is_learned(const struct verify_mountinfo *info, const bool *taken, const char *path)
{
	for (size_t i = 0; i < verify_mountinfo_count(info); i++)
		if (taken[i] && strcmp(verify_mountinfo_at(info, i)->point, path) == 0)
			return true;
	return false;
}

static size_t
take_unexplained(const struct verify_mountinfo *info, const struct verify_findings *findings,
		 bool *taken)
{
	const struct verify_finding *finding;
	size_t count = 0;

	for (size_t f = 0; (finding = verify_findings_at(findings, f)) != NULL; f++) {
		for (size_t i = 0; i < verify_mountinfo_count(info); i++) {
			const struct verify_mount *mount = verify_mountinfo_at(info, i);

			if (finding->rule != VERIFY_RULE_MOUNT_UNEXPLAINED ||
			    mount->line != finding->line || taken[i] ||
			    !verify_is_mountable(mount->point) || !can_say_mount(info, mount) ||
			    is_learned(info, taken, mount->point))
				continue;
			taken[i] = true;
			count++;
		}
	}
	return count;
}

static void
put_mounts(struct seal_json *json, const struct verify_mountinfo *info, const bool *taken)
{
	struct seal_json *list = learn_renew_array(json, "mounts");
	size_t count = 0;

	for (size_t i = 0; i < verify_mountinfo_count(info) && count < VERIFY_MAX_MOUNTS; i++) {
		if (!taken[i])
			continue;
		put_mount(list, info, verify_mountinfo_at(info, i));
		count++;
	}
}

int
learn_mounts(struct seal_json *json, const struct verify_sight *sight, struct seal_err *err)
{
	bool *taken = calloc(verify_mountinfo_count(sight->info) + 1, sizeof(*taken));
	size_t more = 1;
	int r = 0;

	if (taken == NULL)
		return seal_fail_memory(err);
	while (r == 0 && more > 0) { /* findings are kept up to a number: there may be others */
		SEAL_SCOPED(verify_findings_freep) struct verify_findings *findings = NULL;

		put_mounts(json, sight->info, taken);
		r = learn_ask(&findings, json, sight, judge_mounts, err);
		if (r == 0)
			more = take_unexplained(sight->info, findings, taken);
	}
	free(taken);
	return r;
}

/* ---- The pod ---- */

static bool
is_of_service(const char *variable)
{
	const size_t len = strcspn(variable, "=");
	static const char suffix[] = "_SERVICE_HOST";
	const size_t suffix_len = sizeof(suffix) - 1;

	return len > suffix_len && memcmp(variable + len - suffix_len, suffix, suffix_len) == 0 &&
	       strncmp(variable, "KUBERNETES_SERVICE_HOST=", 24) != 0;
}

static void
learn_services(struct seal_json *json, const struct verify_sight *sight)
{
	bool has_any = false;

	for (size_t i = 0; sight->environment != NULL && sight->environment[i] != NULL; i++)
		has_any = has_any || is_of_service(sight->environment[i]);
	seal_json_set_bool(json, "services", has_any);
}

int
verify_learn(struct seal_json **ret_policy, const struct verify_sight *sight, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = seal_json_new();
	struct seal_json *pod;
	int r;

	seal_json_set_u64(json, "version", 1);
	seal_json_set_str(json, "mode", "enforce");
	learn_root(json, sight);
	pod = seal_json_set_object(json, "pod");
	if (sight->self.hostname != NULL &&
	    learn_can_say_text("pod", "hostname", false, sight->self.hostname))
		seal_json_set_str(pod, "hostname", sight->self.hostname);
	learn_services(json, sight);
	r = learn_account(json, pod, sight, err);
	if (r == 0)
		r = learn_mounts(json, sight, err);
	if (r == 0)
		r = learn_hosts(json, sight, err);
	if (r == 0)
		r = learn_resolv(json, sight, err);
	if (r == 0 && seal_json_has_failed(json))
		return seal_fail_memory(err);
	if (r < 0)
		return r;
	*ret_policy = SEAL_TAKE(json);
	return 0;
}

/* ---- From a target ---- */

/* What is missing or cannot be read the judges report; here it is nothing to learn from. */
static void
look(const struct verify_target *target, const char *path, size_t max, struct seal_bytes *out)
{
	seal_bytes_init(out, max);
	if (verify_target_read(target, path, max, out, NULL) < 0)
		seal_bytes_reset(out);
}

int
verify_learn_target(struct seal_json **ret_policy, const struct verify_target *target,
		    struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes table = SEAL_BYTES(VERIFY_MOUNTINFO_MAX);
	SEAL_SCOPED(verify_mountinfo_freep) struct verify_mountinfo *info = NULL;
	const struct verify_scene *scene = verify_target_scene(target);
	struct verify_sight sight = { .self = scene->self, .environment = scene->environment };
	int r = verify_target_mountinfo(target, &table, err);

	if (r == 0)
		r = verify_mountinfo_parse(&info, table.data, table.len, err);
	if (r < 0)
		return seal_note(err, r, "the mount table");
	sight.info = info;
	look(target, VERIFY_HOSTS_FILE, VERIFY_HOSTS_MAX, &sight.hosts);
	look(target, VERIFY_RESOLV_FILE, VERIFY_RESOLV_MAX, &sight.resolv);
	look(target, VERIFY_ACCOUNT_DIR "/namespace", VERIFY_ACCOUNT_NS_MAX, &sight.ns);
	look(target, VERIFY_ACCOUNT_DIR "/ca.crt", VERIFY_CA_MAX, &sight.ca);
	look(target, VERIFY_ACCOUNT_DIR "/token", VERIFY_TOKEN_MAX, &sight.token);
	r = verify_learn(ret_policy, &sight, err);
	seal_bytes_release(&sight.hosts);
	seal_bytes_release(&sight.resolv);
	seal_bytes_release(&sight.ns);
	seal_bytes_release(&sight.ca);
	seal_bytes_release(&sight.token);
	return r;
}
