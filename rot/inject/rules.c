/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What owners say in annotations, on an object or on the template of its pods.  A misspelt one would
 * leave undone what it was meant to do, so ours are a closed list.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/inject_internal.h"

/* inbound, outbound, public, proxy-config and verify leave the output: they are in what is sealed. */
static const char *const known[] = {
	"allow-loader-env", "env-exempt",   "exempt", "file-access",   "hostnames",
	"inbound",          "outbound",     "peer",   "plain-objects", "probes",
	"public",           "proxy-config", "verify", "verify-policy",
};

void
inject_rules_release(struct inject_rules *rules)
{
	seal_strv_release(&rules->env_exempt);
	seal_strv_release(&rules->loader);
	seal_strv_release(&rules->plain);
}

static bool
is_known(const char *name)
{
	for (size_t i = 0; i < SEAL_COUNT(known); i++) {
		if (strcmp(known[i], name) == 0)
			return true;
	}
	return false;
}

static int
check_names(const struct inject_item *item, const struct seal_tree_node *meta, struct seal_err *err)
{
	struct seal_tree_node *notes = NULL;
	int r = inject_member_map(item, meta, "annotations", &notes, err);

	if (r < 0 || notes == NULL)
		return r;
	for (struct seal_tree_node *at = seal_tree_first(notes); at != NULL;
	     at = seal_tree_next_of(at)) {
		const char *name = seal_tree_key(at);
		const size_t len = strlen(INJECT_ANNOTATION);

		if (strncmp(name, INJECT_ANNOTATION, len) == 0 && !is_known(name + len))
			return inject_fail(
				item, at, err, SEAL_E_FORMAT,
				"'%s' is no annotation of ours: seal-inject(1) lists them", name);
	}
	return 0;
}

/* From the template, or the object, or both when they agree. */
static int
read_note(const struct inject_item *item, const struct seal_tree_node *template_meta,
	  const char *name, const char **ret_text, struct seal_err *err)
{
	const struct seal_tree_node *meta = inject_get(item->root, "metadata");
	char full[64];
	const char *inner = NULL;
	const char *outer = NULL;
	int r;

	(void)snprintf(full, sizeof(full), INJECT_ANNOTATION "%s", name);
	r = inject_member_text(item, inject_get(template_meta, "annotations"), full, &inner, err);
	if (r == 0)
		r = inject_member_text(item, inject_get(meta, "annotations"), full, &outer, err);
	if (r < 0)
		return r;
	if (inner != NULL && outer != NULL && strcmp(inner, outer) != 0)
		return inject_fail(item, meta, err, SEAL_E_FORMAT,
				   "annotation %s is there twice and says two things", full);
	*ret_text = inner != NULL ? inner : outer;
	if (*ret_text != NULL && strlen(*ret_text) > INJECT_MAX_NOTE)
		return inject_fail(item, meta, err, SEAL_E_LIMIT,
				   "annotation %s is longer than the %u characters that Kubernetes "
				   "takes",
				   full, INJECT_MAX_NOTE);
	return 0;
}

static int
read_list(const struct inject_item *item, const struct seal_tree_node *template_meta,
	  const char *name, struct seal_strv *list, struct seal_err *err)
{
	const char *text = NULL;
	struct seal_err why = { 0 };
	int r = read_note(item, template_meta, name, &text, err);

	if (r < 0 || text == NULL)
		return r;
	if (seal_strv_split(list, text, ',', &why) < 0)
		return inject_fail(item, inject_get(item->root, "metadata"), err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION "%s: %s", name, why.text);
	if (list->count > INJECT_MAX_NAMES)
		return inject_fail(item, inject_get(item->root, "metadata"), err, SEAL_E_LIMIT,
				   "annotation " INJECT_ANNOTATION "%s: more than %d names", name,
				   INJECT_MAX_NAMES);
	return 0;
}

static int
check_plain(const struct inject_item *item, const struct seal_strv *plain, struct seal_err *err)
{
	for (size_t i = 0; i < plain->count; i++) {
		if (strncmp(plain->items[i], "ConfigMap/", 10) != 0 &&
		    strncmp(plain->items[i], "Secret/", 7) != 0)
			return inject_fail(
				item, item->root, err, SEAL_E_FORMAT,
				"annotation " INJECT_ANNOTATION
				"plain-objects: '%s' is not ConfigMap/NAME or Secret/NAME",
				plain->items[i]);
	}
	return 0;
}

static int
read_exempt(const struct inject_item *item, const struct seal_tree_node *template_meta,
	    bool *ret_exempt, struct seal_err *err)
{
	const char *text = NULL;
	int r = read_note(item, template_meta, "exempt", &text, err);

	if (r < 0)
		return r;
	if (text != NULL && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "exempt is \"true\" or \"false\"");
	*ret_exempt = text != NULL && strcmp(text, "true") == 0;
	return 0;
}

static int
read_texts(struct inject_rules *rules, const struct inject_item *item,
	   const struct seal_tree_node *template_meta, struct seal_err *err)
{
	const char *access = NULL;
	const struct {
		const char *name;
		const char **text;
	} texts[] = {
		{ "inbound", &rules->inbound },
		{ "outbound", &rules->outbound },
		{ "public", &rules->public },
		{ "proxy-config", &rules->proxy_config },
		{ "hostnames", &rules->hostnames },
		{ "probes", &rules->probes },
		{ "file-access", &access },
		{ "verify", &rules->verify },
		{ "verify-policy", &rules->verify_policy },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(texts); i++)
		r = read_note(item, template_meta, texts[i].name, texts[i].text, err);
	if (r == 0 && rules->probes != NULL && strcmp(rules->probes, "readyz") != 0 &&
	    strcmp(rules->probes, "keep") != 0)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "probes is \"readyz\" or \"keep\"");
	if (r == 0 && access != NULL && strcmp(access, "owner") != 0 && strcmp(access, "all") != 0)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "file-access is \"owner\" or \"all\"");
	if (r == 0 && rules->verify != NULL && strcmp(rules->verify, "enforce") != 0 &&
	    strcmp(rules->verify, "audit") != 0)
		return inject_fail(item, item->root, err, SEAL_E_FORMAT,
				   "annotation " INJECT_ANNOTATION
				   "verify is \"enforce\" or \"audit\"");
	rules->shared = r == 0 && access != NULL && strcmp(access, "all") == 0;
	return r;
}

int
inject_rules_read(struct inject_rules *rules, const struct inject_item *item,
		  const struct seal_tree_node *template_meta, struct seal_err *err)
{
	int r = check_names(item, inject_get(item->root, "metadata"), err);

	if (r == 0)
		r = check_names(item, template_meta, err);
	if (r == 0)
		r = read_list(item, template_meta, "env-exempt", &rules->env_exempt, err);
	if (r == 0)
		r = read_list(item, template_meta, "allow-loader-env", &rules->loader, err);
	if (r == 0)
		r = read_list(item, template_meta, "plain-objects", &rules->plain, err);
	if (r == 0)
		r = check_plain(item, &rules->plain, err);
	if (r == 0)
		r = read_texts(rules, item, template_meta, err);
	return r < 0 ? r : read_exempt(item, template_meta, &rules->exempt, err);
}

int
inject_peer_read(struct inject_item *item, const struct seal_tree_node *template_meta,
		 struct seal_err *err)
{
	const char *peer = item->run->options->peer;
	const char *said = NULL;
	struct seal_err why = { 0 };
	int r = read_note(item, template_meta, "peer", &said, err);

	if (r < 0)
		return r;
	if (said != NULL)
		peer = said;
	if (peer == NULL)
		peer = SEAL_PEER_ANY;
	if (seal_peer_check(peer, &why) < 0)
		return inject_fail(item, inject_get(item->root, "metadata"), err, SEAL_E_FORMAT,
				   "%s", why.text);
	(void)snprintf(item->peer, sizeof(item->peer), "%s", peer);
	return 0;
}

bool
inject_is_exempt(const struct inject_item *item)
{
	const struct seal_strv *list = item->run->options->exempt;
	char name[VERIFY_OBJECT_MAX];

	(void)snprintf(name, sizeof(name), "%s/%s", item->kind, item->binding.name);
	return list != NULL && seal_strv_contains(list, name);
}
