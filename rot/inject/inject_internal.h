/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_INJECT_INTERNAL_H
#define SEAL_ROT_INJECT_INTERNAL_H

/*
 * How the work is divided.  manifest.c walks documents and lists and finds for each object who knows its
 * kind: object.c (ConfigMap, Secret), pod.c (everything with a pod in it), unknown.c (the rest).  They
 * change the tree; where a sealed text will stand they put a placeholder that plan.c hands out.  Only
 * when the whole stream has been understood does plan.c have everything sealed, once, and puts the
 * results in place of the placeholders: a mistake in the last document seals nothing in the first.
 */

#include "base/names/names.h"
#include "base/yaml/tree.h"
#include "config-verify/sealed.h"
#include "config-verify/spec.h"
#include "rot/inject/inject.h"

#define INJECT_ANNOTATION "seal-control.io/"
/* Where tools keep the whole object as it was applied: kubectl, kapp, Rancher. */
#define INJECT_COPIES                                                                              \
	"kubectl.kubernetes.io/last-applied-configuration", "kapp.k14s.io/original",               \
		"objectset.rio.cattle.io/applied"
#define INJECT_RUN_DIR         "/run/seal"
#define INJECT_PLACE_DIR       "/run/seal-place"
#define INJECT_RUN_VOLUME      "seal-run"
#define INJECT_FILES_PREFIX    "seal-files-"
#define INJECT_PLACE_PREFIX    "seal-place-"
#define INJECT_PUBLIC_PREFIX   "seal-public-"
#define INJECT_PUBLIC_DIR      "/run/seal-public"
#define INJECT_PLACE_KEY       "place"
#define INJECT_TOKEN_PATH      "/etc/seal/token"
#define INJECT_HEALTH_PORT     15020
#define INJECT_TERMINATION_LOG "/dev/termination-log" /* unless the container says another */
/* Of the sidecar, in clear: inject_depends of its pod. */
#define INJECT_DEPENDS_VAR "SEAL_POD_DIGEST"
/* Every namespace has it, made by the cluster, in clear. */
#define INJECT_ROOT_CA     "kube-root-ca.crt"
#define INJECT_MAX_NESTING 4 /* lists in lists */
#define INJECT_WHAT_MAX    384
#define INJECT_MAX_VOLUMES                                                                         \
	1024 /* of a pod, and mounts of a container: each is compared with each */
#define INJECT_MAX_NAMES    4096           /* in an annotation */
#define INJECT_MAX_NOTE     (256u * 1024)  /* characters of all annotations that Kubernetes takes */
#define INJECT_OBJECT_LIMIT (1024u * 1024) /* what Kubernetes takes */
#define INJECT_PLACEHOLDER  64

/* ---- plan.c: what is to be sealed, and where it goes ---- */

struct inject_slot {
	size_t object;
	size_t value;
	bool is_base64; /* the sealed text once more in base64, as members of type []byte are written */
};

struct inject_plan {
	char mark[48]; /* what placeholders begin with: random, so that no input can hold one */
	size_t mark_len;
	struct inject_object *objects;
	size_t object_count;
	struct inject_slot *slots;
	size_t slot_count;
	size_t sealed_size; /* of all, at least */
};

SEAL_CHECKED int inject_plan_init(struct inject_plan *plan, struct seal_err *err);
void inject_plan_release(struct inject_plan *plan);
/* Have everything sealed, and append draft to out with the placeholders replaced. */
SEAL_CHECKED int inject_plan_finish(struct inject_plan *plan, const struct inject_options *options,
				    const struct seal_bytes *draft, struct seal_bytes *out,
				    struct seal_err *err);

/* ---- seen.c: how often names came ---- */

struct inject_seen {
	struct inject_seen_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	size_t count;
};
void inject_seen_release(struct inject_seen *seen);
/* Once more; how often it came before. */
SEAL_CHECKED int inject_seen_add(struct inject_seen *seen, const char *name, size_t *ret_before,
				 struct seal_err *err);

/* ---- restore.c: sealed values of a document, opened ---- */

struct inject_opened {
	struct inject_sealed *values;
	size_t count;
	size_t next; /* where to look first */
};
void inject_opened_release(struct inject_opened *opened);

/* ---- The run over a stream, and one object in it ---- */

struct inject_item;

struct inject_run {
	const struct inject_options *options;
	const char *name;
	struct inject_report *report;
	struct inject_plan plan;
	struct seal_bytes draft;
	struct inject_opened opened; /* of the document at hand */
	struct inject_seen seen;     /* objects sealed so far: none may come twice */
	struct seal_json *pins;      /* of the options; NULL: none */
	bool restore;
	/* NULL, or: objects are looked at alone, by this, for that. */
	int (*visit)(struct inject_item *item, struct seal_err *err);
	struct kata_reader *reader;
};

struct inject_item {
	struct inject_run *run;
	struct seal_tree *tree;
	struct seal_tree_node *root; /* of the object */
	const char *kind;
	const char *api;               /* apiVersion; "" when it has none */
	struct verify_binding binding; /* ns, kind and name of the object */
	char label[VERIFY_OBJECT_MAX];
	char peer[SEAL_PEER_MAX + 1];
	size_t object;     /* of the plan; SIZE_MAX: nothing to be sealed yet */
	size_t round;      /* how often the stream had this object before */
	bool is_generated; /* generateName: its name is shared */
	size_t plain_size;
	size_t sealed_size; /* what it will be, at least */
	bool changed;
};

/* Put a value of this object on the plan; out is what to write where it will stand. */
SEAL_CHECKED int inject_plan_value(struct inject_item *item, const char *key, const char *container,
				   const void *plain, size_t plain_len, bool is_base64,
				   char out[static INJECT_PLACEHOLDER], struct seal_err *err);
/* Will the output be short enough?  Asked before anything is sealed. */
SEAL_CHECKED int inject_plan_room(const struct inject_item *item, struct seal_err *err);
/* The value of a placeholder once more elsewhere, in base64. */
SEAL_CHECKED int inject_plan_repeat(struct inject_item *item, const char *placeholder,
				    char out[static INJECT_PLACEHOLDER], struct seal_err *err);
/* The same for a JSON value as text, of at most VERIFY_SPEC_MAX bytes. */
SEAL_CHECKED int inject_plan_json(struct inject_item *item, const struct seal_tree_node *node,
				  const char *key, const char *container,
				  const struct seal_json *json, char out[static INJECT_PLACEHOLDER],
				  struct seal_err *err);

#define inject_fail(item, node, err, code, ...)                                                    \
	seal_tree_fail((item)->tree, (node), (err), (code), __VA_ARGS__)

/* ---- report.c ---- */

/* A line of the report; what and why may be NULL, node says where. */
void inject_note(const struct inject_item *item, const struct seal_tree_node *node,
		 enum inject_verdict verdict, const char *why, const char *what, ...)
	SEAL_PRINTF(5, 6);

/* ---- item.c: reading trees ---- */

/* A member of a map, or NULL: no map, no such member, or null, which means the same to Kubernetes. */
struct seal_tree_node *inject_get(const struct seal_tree_node *map, const char *key);
/* A walk down: inject_path(root, "spec", "template", NULL). */
struct seal_tree_node *inject_path(const struct seal_tree_node *map, ...);
/* A string without NUL; what names it in the sentence. */
SEAL_CHECKED int inject_text(const struct inject_item *item, const struct seal_tree_node *node,
			     const char *what, const char **ret_text, struct seal_err *err);
/* A member that must be a string when it is there (*ret_text stays as it is when not). */
SEAL_CHECKED int inject_member_text(const struct inject_item *item,
				    const struct seal_tree_node *map, const char *key,
				    const char **ret_text, struct seal_err *err);
/* A member if it is a string; otherwise the other: for sentences, and where it was checked. */
const char *inject_peek_text(const struct seal_tree_node *map, const char *key, const char *other);
/* A member that must be a list, or a map, when it is there: NULL when not. */
SEAL_CHECKED int inject_member_list(const struct inject_item *item,
				    const struct seal_tree_node *map, const char *key,
				    struct seal_tree_node **ret_list, struct seal_err *err);
SEAL_CHECKED int inject_member_map(const struct inject_item *item, const struct seal_tree_node *map,
				   const char *key, struct seal_tree_node **ret_map,
				   struct seal_err *err);
/* A boolean member; false when it is not there. */
bool inject_is_true(const struct seal_tree_node *map, const char *key);
SEAL_CHECKED int inject_number(const struct inject_item *item, const struct seal_tree_node *node,
			       const char *what, uint64_t max, uint64_t *ret_value,
			       struct seal_err *err);
/* Set a member to a number, a list of strings, or what a node holds. */
void inject_set_u64(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
		    uint64_t value);
void inject_set_strings(struct seal_tree *tree, struct seal_tree_node *map, const char *key,
			const char *const *strings);
/* Kind, name, namespace, peer of an object, checked. */
SEAL_CHECKED int inject_item_identify(struct inject_item *item, struct seal_err *err);
/* What the stream had before is sealed again, and the first made stale: as Kubernetes has it, the last counts. */
SEAL_CHECKED int inject_item_once(struct inject_item *item, struct seal_err *err);
/* Remove an annotation of the object that repeats it in clear. */
void inject_drop_copies(struct inject_item *item);

/* ---- rules.c: annotations ---- */

struct inject_rules {
	struct seal_strv env_exempt;
	struct seal_strv loader;
	struct seal_strv plain; /* "Secret/name" */
	const char *inbound;    /* borrowed from the tree; NULL: none */
	const char *outbound;
	const char *public;
	const char *proxy_config;
	const char *hostnames;
	const char *probes; /* "readyz", "keep" */
	const char *verify; /* "enforce", "audit" */
	const char *verify_policy;
	bool exempt;
	bool shared; /* files are for every user of the container */
};
void inject_rules_release(struct inject_rules *rules);
/* Of the object and, when there is one, of its pod template; unknown ones of ours are refused. */
SEAL_CHECKED int inject_rules_read(struct inject_rules *rules, const struct inject_item *item,
				   const struct seal_tree_node *template_meta,
				   struct seal_err *err);
SEAL_CHECKED int inject_peer_read(struct inject_item *item,
				  const struct seal_tree_node *template_meta, struct seal_err *err);
/* Exempt by annotation or by the options ("ConfigMap/name"). */
bool inject_is_exempt(const struct inject_item *item);

/* ---- base64.c: RFC 4648 section 4, as Go reads it ---- */

SEAL_CHECKED int inject_base64_decode(struct seal_bytes *out, const char *text, size_t len,
				      struct seal_err *err);
SEAL_CHECKED int inject_base64_encode(struct seal_bytes *out, const void *data, size_t len,
				      struct seal_err *err);

/* ---- object.c: ConfigMap and Secret; restore_object.c: back ---- */

SEAL_CHECKED int inject_object(struct inject_item *item, struct seal_err *err);
SEAL_CHECKED int inject_restore_object(struct inject_item *item, struct seal_err *err);
/* The text of a value as it is meant: base64 undone where the member has it. */
SEAL_CHECKED int inject_object_value(const struct inject_item *item,
				     const struct seal_tree_node *node, bool is_base64,
				     struct seal_bytes *out, struct seal_err *err);
/* The members that hold values, and whether they are base64; name NULL ends. */
struct inject_member {
	const char *name;
	bool is_base64;
};
const struct inject_member *inject_members(const struct inject_item *item);

/* ---- shape.c ---- */

enum inject_shape {
	INJECT_SHAPE_CONFIG_MAP,
	INJECT_SHAPE_SECRET,
	INJECT_SHAPE_LIST,
	INJECT_SHAPE_CONTAINER,
	INJECT_SHAPE_LIFECYCLE,
	INJECT_SHAPE_HANDLER,
	INJECT_SHAPE_EXEC,
};
/* Are all members of the map, if it is one, known to Kubernetes there? */
SEAL_CHECKED int inject_check_shape(const struct inject_item *item,
				    const struct seal_tree_node *map, enum inject_shape shape,
				    struct seal_err *err);

/* ---- unknown.c ---- */

/* Nothing beside these two parts of the object may hold containers, or objects with values. */
SEAL_CHECKED int inject_check_beside(struct inject_item *item, const struct seal_tree_node *one,
				     const struct seal_tree_node *other, struct seal_err *err);
SEAL_CHECKED int inject_unknown(struct inject_item *item, struct seal_err *err);

/* ---- pod.c ---- */

/* A volume of ConfigMaps and Secrets. */
struct inject_volume {
	const char *name;
	struct seal_tree_node *node;
	bool is_sealed;
	size_t index; /* of the sealed ones: /run/seal-source/<index> */
};

struct inject_pod {
	struct inject_item *item;
	struct seal_tree_node *meta; /* of the pod; NULL: it has none */
	struct seal_tree_node *spec;
	struct inject_rules rules;
	struct inject_volume *volumes;
	size_t volume_count;
	size_t memory_count;            /* volumes we added */
	struct seal_json *all;          /* holds the three below */
	struct seal_json *kept;         /* what the pod was: pod of the sidecar's value */
	struct seal_json *kept_volumes; /* array in it, or NULL: there were none */
	struct seal_json *places;       /* init containers to be added, an array */
	struct seal_json *memory;       /* volumes to be added, an array */
	struct seal_json *proxy;        /* configuration of the sidecar */
	struct seal_json *pins;         /* what the owner says the host may hand in */
	struct seal_json *policy;       /* what all containers share of theirs */
	struct seal_json *public;       /* what of its Secrets is mounted where, an array */
	struct seal_strv owned;         /* plaintext ports that the proxy forwards to */
	struct seal_strv open;          /* ports of inbound and public listeners */
	uint64_t health_port;
};

/* Where the pod of a kind is: its spec, and the metadata beside it; NULL when the kind has none. */
bool inject_find_pod(const struct inject_item *item, struct seal_tree_node **ret_spec,
		     struct seal_tree_node **ret_meta);
bool inject_is_pod_kind(const char *kind, const char *api);
SEAL_CHECKED int inject_pod(struct inject_item *item, struct seal_err *err);
SEAL_CHECKED int inject_restore_pod(struct inject_item *item, struct seal_err *err);

/* ---- again.c, depends.c: what was sealed before ---- */

/* 1: injected before and whole; 0: not at all; SEAL_E_REFUSED: something between. */
SEAL_CHECKED int inject_pod_again(const struct inject_item *item, const struct seal_tree_node *spec,
				  const struct inject_rules *rules, struct seal_err *err);
SEAL_CHECKED int inject_object_again(const struct inject_item *item, struct seal_err *err);
/* What sealed policies were made from, as a digest in hexadecimal; after everything but the sidecar is in the pod. */
#define INJECT_DEPENDS_SIZE (2 * 32 + 1)
SEAL_CHECKED int inject_depends(const struct inject_item *item, const struct seal_tree_node *spec,
				char ret_digest[static INJECT_DEPENDS_SIZE], struct seal_err *err);
/* The sealed text that a command carries, or NULL. */
const char *inject_command_value(const struct seal_tree_node *command, size_t *ret_len);

/* ---- container.c ---- */

/* One container, of either list. */
struct inject_container {
	struct inject_pod *pod;
	struct seal_tree_node *node;
	const char *name;
	const char *label;          /* "container", "init container" */
	size_t index;               /* of all containers of the pod */
	struct seal_json *spec;     /* being built */
	struct seal_json *env;      /* arrays: what remains of env, */
	struct seal_json *env_spec; /* and what goes into the spec */
	struct seal_json *from;
	struct seal_json *mounts;
	struct seal_json *files;
	struct seal_json *place_mounts;
	struct seal_json *place_paths;
	struct seal_json *exempt;
	struct seal_json *loader;
};
/* What specs of its probes begin with: set the members of to. */
void inject_container_base(const struct inject_container *container, struct seal_json *to);
SEAL_CHECKED int inject_containers(struct inject_pod *pod, struct seal_err *err);

/* ---- contents.c, volumes.c: what is in a volume ---- */

/* A ConfigMap or Secret that a volume is, or that stands in a projected one. */
struct inject_source {
	const char *kind; /* NULL: it is another source */
	const char *name;
	struct seal_tree_node *node;
};
SEAL_CHECKED int inject_source_of(const struct inject_pod *pod, const struct seal_tree_node *node,
				  bool projected, struct inject_source *source,
				  struct seal_err *err);
/* path below subdir, or NULL when it is elsewhere; subdir NULL: everything is below. */
const char *inject_below(const char *path, const char *subdir);

/* ---- env.c, mounts.c, volumes.c, probes.c, images.c ---- */

SEAL_CHECKED int inject_env(struct inject_container *container, struct seal_err *err);
SEAL_CHECKED int inject_volumes(struct inject_pod *pod, struct seal_err *err);
/* Remember them in pod->kept, and let any user read what the host hands in. */
void inject_volumes_open(struct inject_pod *pod);
const struct inject_volume *inject_volume_find(const struct inject_pod *pod, const char *name);
bool inject_is_plain(const struct inject_pod *pod, const char *kind, const char *name);
/* Fill a member of "files": objects, plain, mode.  subdir: only what lies below, relative to it. */
SEAL_CHECKED int inject_volume_describe(const struct inject_pod *pod,
					const struct inject_volume *volume, const char *subdir,
					struct seal_json *files, struct seal_err *err);
enum inject_sub { INJECT_SUB_NONE, INJECT_SUB_FILE, INJECT_SUB_DIR };
enum inject_sub inject_volume_sub(const struct inject_pod *pod, const struct inject_volume *volume,
				  const char *path);
/* A volume in memory to be added; size_limit may be NULL. */
void inject_add_memory(struct inject_pod *pod, const char *name, const char *size_limit);
SEAL_CHECKED int inject_mounts(struct inject_container *container, struct seal_err *err);
/* How long a path is without slashes at its end: "/etc/app/" is "/etc/app". */
size_t inject_path_len(const char *path);
SEAL_CHECKED int inject_probes(struct inject_container *container, struct seal_err *err);
/* NULL when no image fits. */
const struct inject_image *inject_image_find(const struct inject_container *container);
void inject_image_set(const struct inject_image *image, struct seal_json *spec);
bool inject_image_runs(const struct inject_image *image);

/* ---- pins.c, policy_pod.c, policy.c, policy_report.c: what the host may hand in ---- */

/* What an owner pins, as JSON with the members of a policy; every sentence has name, line and column. */
SEAL_CHECKED int inject_pins_read(struct seal_json **ret_pins, const struct inject_input *input,
				  struct seal_err *err);
/* SEAL_E_REFUSED where both say something, and not the same. */
SEAL_CHECKED int inject_pins_merge(struct seal_json *into, const struct seal_json *from,
				   struct seal_err *err);
/* A member of a member, or NULL. */
const struct seal_json *inject_pin(const struct seal_json *pins, const char *section,
				   const char *member);
/* pod->pins and pod->policy; after inject_listeners, whose targets it asks for. */
SEAL_CHECKED int inject_policy_pod(struct inject_pod *pod, struct seal_err *err);
void inject_policy_explain(const struct inject_pod *pod);
/* The member "verify" of a container's spec; after inject_mounts. */
SEAL_CHECKED int inject_policy(struct inject_container *container, struct seal_err *err);

/* ---- listeners.c, public.c, sidecar.c ---- */

/* The configuration of the sidecar, from the annotations. */
SEAL_CHECKED int inject_listeners(struct inject_pod *pod, struct seal_err *err);
/* The Secrets of public listeners, to be mounted into the sidecar. */
SEAL_CHECKED int inject_public(struct inject_pod *pod, struct seal_err *err);
SEAL_CHECKED int inject_sidecar(struct inject_pod *pod, struct seal_err *err);

/* ---- restore.c ---- */

SEAL_CHECKED int inject_open_all(struct inject_run *run, const struct seal_tree_node *root,
				 struct seal_err *err);
/* A value, borrowed and opened, of this document that was sealed for this place. */
SEAL_CHECKED int inject_open(const struct inject_item *item, const char *key, const char *container,
			     const char *text, size_t len, const struct inject_sealed **ret_value,
			     struct seal_err *err);

/* ---- manifest.c ---- */

/* The work of both directions. */
SEAL_CHECKED int inject_walk(struct inject_run *run, const char *text, size_t text_len,
			     struct seal_err *err);

#endif
