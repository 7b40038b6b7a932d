/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLI_H
#define SEAL_ROT_CLI_H

/*
 * The seal command, in rooms: verbs.c is the table of what can be said, run.c finds the row that was
 * meant, help.c and complete.c tell of it, connect.c reaches the root of trust with what credential.c reads,
 * output.c and yaml.c print, and one file per subject (workload.c, egg.c, token.c, sealing.c, cert.c, init.c,
 * operator.c, profile.c) holds the handlers.
 * meant, connect.c reaches the root of trust, output.c and yaml.c print, and one file per subject
 * (workload.c, egg.c, token.c, sealing.c, cert.c, enrol.c, init.c, store.c) holds the handlers.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes/bytes.h"
#include "base/config/config.h"
#include "base/err/err.h"
#include "base/json/json.h"
#include "base/names/names.h"
#include "base/x509/x509.h"
#include "rot/client/client.h"
#include "rot/server/place.h"

#define CLI_MAX_ARGS       3
#define CLI_MAX_CONTAINERS 32             /* that get a token with one egg */
#define CLI_MAX_REPLY      ROT_MAX_SEALED /* all other answers are below one MiB */

enum cli_format { CLI_TABLE, CLI_JSON, CLI_YAML };

/* Where every option of every verb puts its value; all zero is "not given". */
struct cli_options {
	bool allow_host_images;
	bool allow_logs;
	bool dry_run;
	bool explain;
	bool follow;
	bool force;
	bool help;
	bool open;
	bool plain_config;
	bool recursive;
	bool refused;
	bool switch_; /* of a rotation: the second step, */
	bool wait;    /* or all of them */
	bool yes;
	const char *algorithm;
	const char *container;
	const char *credentials;
	const char *dir;
	const char *explain_format;
	const char *file; /* -o of the verbs that write: a file, or a directory */
	const char *kek_file;
	const char *kek_passphrase_file;
	const char *key;
	const char *kind;
	const char *name;
	const char *new_kek_file;
	const char *new_passphrase_file;
	const char *ns;
	const char *only;
	const char *out;    /* -o of inject: a file, replaced */
	const char *output; /* table, json, yaml */
	const char *p12_password_file;
	const char *peer;
	const char *policy;        /* of inject: a file of pins */
	const char *policy_format; /* rego, initdata, json */
	const char *profile;
	const char *proxy_image;
	const char *proxy_path;
	const char *since;
	const char *source; /* --file of audit verify: what audit export wrote */
	const char *role;
	const char *store; /* sqlite, etcd:... */
	const char *store_ca;
	const char *store_cert;
	const char *store_key;
	const char *store_prefix;
	const char *to;    /* of store migrate, like store */
	const char *state; /* of certificates */
	const char *trust_domain;
	const char *until;
	const char *workload;
	const char *wrap_path;
	struct seal_strv containers;
	struct seal_strv exempt;
	struct seal_strv filenames; /* -f */
	struct seal_strv heads;
	struct seal_strv hostnames;
	struct seal_strv image_configs;
	struct seal_strv kinds;
	struct seal_strv urls;
	uint64_t expires;
	uint64_t max_hatches;
	uint64_t timeout;
	uint64_t ttl;
};

struct cli {
	const struct cli_verb *verb;
	struct cli_options opt;
	const char *args[CLI_MAX_ARGS];
	size_t arg_count;
	enum cli_format format;
	struct rot_client *client;                   /* made at the first call */
	bool is_local;                               /* ... over the socket of --dir, */
	char credential_dir[PATH_MAX];               /* or with the credential from there, */
	char credential_serial[SEAL_SERIAL_LEN + 1]; /* whose certificate was this one */
	char where[PATH_MAX + 8]; /* which one it is, whoever asks and from which directory */
};

typedef int (*cli_fn)(struct cli *cli, struct seal_err *err);

/* One thing that can be said. */
struct cli_verb {
	const char *verb;
	const char *sub;  /* NULL when the verb stands alone */
	const char *args; /* positional names as help shows them, "" for none */
	size_t min_args;
	size_t max_args;
	const struct seal_option *options; /* beside the general ones; alphabetical */
	size_t option_count;
	unsigned flags;
	cli_fn run;
	const char *help; /* one line, no full stop */
	const char *more; /* a paragraph for --help, or NULL */
};

#define CLI_CALLS                                                                                  \
	1u /* speaks with the root of trust: takes --dir, --url, --credentials, --profile */
#define CLI_SHOWS 2u /* prints a result: takes --output */
#define CLI_FILES 4u /* -o is a file or directory, so that --output has no short form */

extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;

/* ---- run.c ---- */

/* Do what the command line says.  SEAL_E_USAGE when it cannot be meant. */
SEAL_CHECKED int cli_run(int argc, char **argv, struct seal_err *err);
/* SEAL_E_USAGE for a verb, or what stands under it, that is none, with what may have been meant. */
SEAL_CHECKED int cli_no_verb(const char *verb, const char *sub, struct seal_err *err);
/* "workload create", for sentences. */
void cli_verb_name(const struct cli_verb *verb, char *out, size_t size);

/* ---- help.c ---- */

#define CLI_MAX_OPTIONS 24
/* The general options of a verb and its own, in alphabetical order; the number of rows. */
size_t cli_verb_options(const struct cli_verb *verb, struct seal_option table[CLI_MAX_OPTIONS]);
void cli_help_all(FILE *out);
void cli_help_verb(FILE *out, const struct cli_verb *verb);
/* Of a verb with others under it: which. */
void cli_help_group(FILE *out, const char *verb);
/* The row for a verb and what stands under it (NULL: nothing does); NULL without it. */
const struct cli_verb *cli_verb_find(const char *verb, const char *sub);
/* Are there others under it? */
bool cli_verb_is_group(const char *verb);
SEAL_CHECKED int cli_help(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_version(struct cli *cli, struct seal_err *err);

/* ---- connect.c ---- */

/* A variable of the environment that is set and not empty, or NULL. */
const char *cli_variable(const char *name);
/* Find the root of trust that is meant and what goes with it; calls nobody yet.  Again: nothing. */
SEAL_CHECKED int cli_connect(struct cli *cli, struct seal_err *err);

/*
 * One request to the root of trust that the options or the environment name.  A status below 300
 * gives the reply; any other becomes an error with the server's sentence.  body may be NULL.
 */
SEAL_CHECKED int cli_call(struct cli *cli, const char *method, const char *path,
			  const struct seal_json *body, struct seal_json **ret_reply,
			  struct seal_err *err);
/* GET, for an answer that is no JSON. */
SEAL_CHECKED int cli_call_text(struct cli *cli, const char *path, struct seal_bytes *reply,
			       struct seal_err *err);
/* Which root of trust that is, as a name to tell it from others by. */
SEAL_CHECKED int cli_call_where(struct cli *cli, char *out, size_t size, struct seal_err *err);
/* Get all pages of a list: {member: [...]} in one.  query is "" or "name=value". */
SEAL_CHECKED int cli_call_list(struct cli *cli, const char *path, const char *query,
			       const char *member, struct seal_json **ret_list,
			       struct seal_err *err);

/* ---- output.c ---- */

/* Set the named members (NULL ends) that from has. */
void cli_copy_members(struct seal_json *to, const struct seal_json *from, const char *const *names);

enum cli_column_kind {
	CLI_TEXT,
	CLI_TIME,  /* seconds since the epoch, shown in UTC */
	CLI_LIMIT, /* a number, 0 shown as "unlimited" */
};

struct cli_column {
	const char *title; /* as in a heading: "CREATED" */
	const char *member;
	enum cli_column_kind kind;
};

SEAL_CHECKED int cli_format_parse(enum cli_format *ret_format, const char *name,
				  struct seal_err *err);
/* Print one object: the chosen members as lines, or all of it as JSON or YAML. */
SEAL_CHECKED int cli_print(const struct cli *cli, const struct seal_json *object,
			   const struct cli_column *columns, size_t column_count,
			   struct seal_err *err);
/* Print the objects in list's member: an aligned table, or all of list as JSON or YAML. */
SEAL_CHECKED int cli_print_list(const struct cli *cli, const struct seal_json *list,
				const char *member, const struct cli_column *columns,
				size_t column_count, struct seal_err *err);
/* The text behind the two above, appended to out. */
SEAL_CHECKED int cli_render(enum cli_format format, const struct seal_json *object,
			    const struct cli_column *columns, size_t column_count,
			    struct seal_bytes *out, struct seal_err *err);
SEAL_CHECKED int cli_render_list(enum cli_format format, const struct seal_json *list,
				 const char *member, const struct cli_column *columns,
				 size_t column_count, struct seal_bytes *out, struct seal_err *err);
/* Write all of it to standard output. */
SEAL_CHECKED int cli_write_out(const void *data, size_t len, struct seal_err *err);

/*
 * Ask before something is destroyed.  Returns 0 with --yes, or when a person at the terminal says
 * yes; SEAL_E_REFUSED otherwise, and where there is nobody to ask.
 */
SEAL_CHECKED int cli_confirm(const struct cli *cli, const char *what, struct seal_err *err);
/* Is there a person to be asked? */
bool cli_can_ask(void);

/* ---- yaml.c ---- */

/* A value of JSON as a YAML 1.2 document. */
SEAL_CHECKED int cli_yaml(const struct seal_json *value, struct seal_bytes *out,
			  struct seal_err *err);

/* ---- files.c ---- */

/* A path to be created, as its directory (open) and its last part. */
struct cli_place {
	int dirfd;
	char *name;
};
#define CLI_PLACE_NONE                                                                             \
	{                                                                                          \
		.dirfd = -1                                                                        \
	}
void cli_place_release(struct cli_place *place);
/* SEAL_E_CONFLICT when something is there already: nothing is ever overwritten. */
SEAL_CHECKED int cli_place_new(struct cli_place *ret_place, const char *path, struct seal_err *err);

/* The same for what is there, as far as that can be known. */
SEAL_CHECKED int cli_place_old(struct cli_place *ret_place, const char *path, struct seal_err *err);

struct cli_file {
	const char *name;
	const void *data;
	size_t len;
};
/* Create all files in an existing directory, mode 0600, in their order, or none. */
SEAL_CHECKED int cli_write_files(int dirfd, const struct cli_file *files, size_t file_count,
				 struct seal_err *err);
/* Read a file, or standard input for "-" or NULL; what it holds may be secret. */
SEAL_CHECKED int cli_read_input(struct seal_bytes *out, const char *path, struct seal_err *err);
/* Create the directory, mode 0700, with all files, mode 0600, or nothing at all. */
SEAL_CHECKED int cli_write_dir(const struct cli_place *place, const struct cli_file *files,
			       size_t file_count, struct seal_err *err);
/* A name beside that one, which nobody else knows. */
SEAL_CHECKED int cli_draft_name(char *out, size_t size, const char *name, struct seal_err *err);
/* The same in the place of a directory that has none but these files, in one step: the old one, or the new one. */
SEAL_CHECKED int cli_replace_dir(const struct cli_place *place, const struct cli_file *files,
				 size_t file_count, struct seal_err *err);

/* ---- credential.c ---- */

#define CLI_URLS_NAME "urls" /* one a line, beside ca.pem, cert.pem and key.pem */
#define CLI_MAX_URLS  64

struct cli_credential {
	struct seal_certs *ca;
	struct seal_certs *cert;
	struct seal_key *key;
	struct seal_strv urls; /* none without the file */
	struct seal_identity identity;
	int64_t not_before;
	int64_t not_after;
};
void cli_credential_release(struct cli_credential *credential);
/* From a directory.  SEAL_E_REFUSED, with the remedy, when others can read the key or change the rest. */
SEAL_CHECKED int cli_credential_read(struct cli_credential *ret_credential, int dirfd,
				     struct seal_err *err);
/* From the members ca, certificate and urls of an answer, for a key of ours, which is taken. */
SEAL_CHECKED int cli_credential_take(struct cli_credential *ret_credential,
				     const struct seal_json *reply, struct seal_key **key,
				     struct seal_err *err);
SEAL_CHECKED int cli_credential_check(const struct cli_credential *credential,
				      struct seal_err *err);
enum cli_write_how { CLI_WRITE_NEW, CLI_WRITE_OVER };
SEAL_CHECKED int cli_credential_write(const struct cli_place *place,
				      const struct cli_credential *credential,
				      enum cli_write_how how, struct seal_err *err);
/* How many seconds before its end it is warned of; the warning, on standard error, when it is due. */
int64_t cli_credential_notice(int64_t not_before, int64_t not_after);
void cli_credential_warn(const struct cli_credential *credential, int64_t now);
SEAL_CHECKED int cli_urls_check(const struct seal_strv *urls, struct seal_err *err);

/* ---- profile.c ---- */

#define CLI_PROFILE_DEFAULT "default"

/* Where the configuration is, and what is below it ("": itself). */
SEAL_CHECKED int cli_config_path(const char *below, char out[static PATH_MAX],
				 struct seal_err *err);
SEAL_CHECKED int cli_profile_check(const char *name, struct seal_err *err);
SEAL_CHECKED int cli_profile_path(const char *name, char out[static PATH_MAX],
				  struct seal_err *err);
/* The name that 'seal profile use' has left (free), or NULL. */
SEAL_CHECKED int cli_profile_current(char **ret_name, struct seal_err *err);
SEAL_CHECKED int cli_profile_names(struct seal_strv *ret_names, struct seal_err *err);
/* SEAL_E_MISSING without it, SEAL_E_REFUSED as above. */
SEAL_CHECKED int cli_profile_read(const char *name, struct cli_credential *ret_credential,
				  struct seal_err *err);

/* ---- complete.c, offer.c ---- */

#define CLI_COMPLETE "__complete" /* the verb of the shells' completion, and of nobody else */
/* The words behind "seal", the last one unfinished: print what it may become.  Silent about every failure. */
void cli_complete(int count, char **words);
/*
 * For a test over the whole table: does completion know what the n-th argument of a verb, or the value of an option,
 * is?  That nothing can be offered for it is an answer, too.
 */
bool cli_complete_knows_arg(const struct cli_verb *verb, size_t n, char *ret_name, size_t size);
bool cli_complete_knows_option(const struct cli_verb *verb, const struct seal_option *option);

/* ---- token.c ---- */

struct cli_tokens {
	struct cli_file *files; /* token-NAME and its line, for each container */
	size_t count;
};
void cli_tokens_release(struct cli_tokens *tokens);
/* Before anything is minted: the containers' names can be meant, and their files are not there. */
SEAL_CHECKED int cli_tokens_check(const struct cli *cli, const struct cli_place *place,
				  struct seal_err *err);
/* The tokens of the answer to minting, each read back as a container will. */
SEAL_CHECKED int cli_tokens_read(const struct cli *cli, const struct seal_json *reply,
				 struct cli_tokens *ret_tokens, struct seal_err *err);

/* ---- audit_source.c ---- */

/*
 * The audit log as it is handed out: entries in order, each head where the log has its size, heads beyond the end
 * last.  Texts are lent; fn ends the walk by failing.
 */
struct cli_audit_fn {
	int (*entry)(void *arg, const char *line, size_t len, struct seal_err *err);
	int (*head)(void *arg, const char *text, size_t len, struct seal_err *err);
	void *arg;
};
/* A head for the log as it is now, its text appended. */
SEAL_CHECKED int cli_audit_fresh_head(struct cli *cli, struct seal_bytes *out,
				      struct seal_err *err);
/* From the root of trust: at least size entries, if there are so many. */
SEAL_CHECKED int cli_audit_walk(struct cli *cli, uint64_t size, const struct cli_audit_fn *fn,
				struct seal_err *err);
/* From a file that begins with this line; behind it the stream as it is. */
SEAL_CHECKED int cli_audit_walk_file(const char *path, const struct cli_audit_fn *fn,
				     struct seal_err *err);
#define CLI_AUDIT_FILE "seal-audit-log 1\n"
/* The length of the head at the beginning of a text; 0: not a whole one. */
size_t cli_audit_head_len(const char *text, size_t len);

/* ---- audit_seen.c ---- */

/* Where the head is kept that was seen last of this root of trust; "" for nowhere. */
SEAL_CHECKED int cli_seen_path(struct cli *cli, char *out, size_t size, struct seal_err *err);
/* Appended; nothing when there is none. */
SEAL_CHECKED int cli_seen_read(const char *path, struct seal_bytes *out, struct seal_err *err);
/* The path is as it was afterwards. */
SEAL_CHECKED int cli_seen_write(char *path, const struct seal_bytes *text, struct seal_err *err);

/* ---- the handlers ---- */

SEAL_CHECKED int cli_audit_export(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_audit_head(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_audit_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_audit_verify(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_inject(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_policy_kata(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_unseal_manifests(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_init(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_status(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_completion(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_operator_add(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_operator_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_operator_renew(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_operator_revoke(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_profile_add(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_profile_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_profile_remove(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_profile_use(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_create(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_delete(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_retire_ca(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_retire_key(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_rotate_ca(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_rotate_key(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_workload_show(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_peer_allow(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_peer_deny(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_peer_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_egg_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_egg_mint(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_egg_revoke(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_egg_show(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_peer_revoke(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_cert_issue(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_cert_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_cert_revoke(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_cert_show(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_cert_enrol(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_enrolment_list(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_enrolment_revoke(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_seal(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_unseal(struct cli *cli, struct seal_err *err);

/* Generations of CAs and keys, and whose certificates stand in the way of their next steps. */
SEAL_CHECKED int cli_print_generations(const struct cli *cli, const struct seal_json *workload,
				       struct seal_err *err);
SEAL_CHECKED int cli_backup(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_rekey(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_restore(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_store_check(struct cli *cli, struct seal_err *err);
SEAL_CHECKED int cli_store_migrate(struct cli *cli, struct seal_err *err);
/* --store and what belongs to it, lent. */
struct rot_place_options cli_store_options(const struct cli *cli);

/* Generations of CAs and keys, and whose certificates stand in the way of their next steps. */
SEAL_CHECKED int cli_print_generations(const struct cli *cli, const struct seal_json *workload,
				       struct seal_err *err);
/* What mint and issue have in common: whom the certificate is for, checked. */
SEAL_CHECKED int cli_check_subject(const struct cli *cli, bool patterns, struct seal_err *err);
/* The members of a request that they have: workload, peer, hostnames, ttl, csr (NULL: none). */
void cli_subject(const struct cli *cli, struct seal_json *request, const char *csr);

#endif
