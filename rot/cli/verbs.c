/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said to seal.  This table is the command's grammar: the parser, --help, the completion
 * and the test of the manual page all read it.
 */

#include "rot/cli/cli.h"

#define OPTION(field) offsetof(struct cli_options, field)

#define EGG_TTL_MAX       (366u * 86400)
#define EGG_HATCHES_MAX   1000000000u
#define ENROL_EXPIRES_MAX (30u * 86400)
#define ROW_HOSTNAME(text)                                                                         \
	{                                                                                          \
		"hostname", 0, SEAL_OPT_LIST, OPTION(hostnames), "HOST", text, 0, 0                \
	}
#define ROW_PEER                                                                                   \
	{                                                                                          \
		"peer", 0, SEAL_OPT_STR, OPTION(peer), "PEER",                                     \
			"the peer's name; default: any, the peer without one", 0, 0                \
	}
#define ROW_YES                                                                                    \
	{                                                                                          \
		"yes", 'y', SEAL_OPT_FLAG, OPTION(yes), NULL, "do not ask", 0, 0                   \
	}

#define ROW_DIR(text)                                                                              \
	{                                                                                          \
		"dir", 0, SEAL_OPT_STR, OPTION(dir), "DIR", text, 0, 0                             \
	}
/* Where the store is: the first is the option's name, which has to stand in its place of the alphabet. */
#define ROW_STORE(name, field, text)                                                               \
	{                                                                                          \
		name, 0, SEAL_OPT_STR, OPTION(field), "STORE", text, 0, 0                          \
	}
#define ROWS_ETCD                                                                                  \
	{                                                                                          \
		"store-ca", 0, SEAL_OPT_STR, OPTION(store_ca), "FILE", "who certifies etcd, PEM",  \
		0,          0                                                                      \
	},                                                                                         \
		{ "store-cert",                                                                    \
		  0,                                                                               \
		  SEAL_OPT_STR,                                                                    \
		  OPTION(store_cert),                                                              \
		  "FILE",                                                                          \
		  "our certificate for etcd, PEM",                                                 \
		  0,                                                                               \
		  0 },                                                                             \
		{ "store-key", 0, SEAL_OPT_STR, OPTION(store_key), "FILE", "its key, PEM", 0, 0 }, \
	{                                                                                          \
		"store-prefix", 0, SEAL_OPT_STR, OPTION(store_prefix), "PREFIX",                   \
			"what all keys in etcd begin with; default: /seal/", 0, 0                  \
	}

static const struct seal_option init_options[] = {
	ROW_DIR("the directory to make the root of trust in"),
	{ "kek-file", 0, SEAL_OPT_STR, OPTION(kek_file), "FILE",
	  "take the key-encryption key from there; default: make DIR/kek", 0, 0 },
	{ "kek-passphrase-file", 0, SEAL_OPT_STR, OPTION(kek_passphrase_file), "FILE",
	  "make it from a passphrase; -: standard input, or asked for", 0, 0 },
	ROW_STORE("store", store,
		  "etcd:https://HOST:PORT,... or sqlite; default: sqlite, DIR/seal.db"),
	ROWS_ETCD,
	{ "trust-domain", 0, SEAL_OPT_STR, OPTION(trust_domain), "NAME",
	  "the SPIFFE trust domain; default: the host of the first URL", 0, 0 },
	{ "url", 0, SEAL_OPT_LIST, OPTION(urls), "URL",
	  "https://host[:port] where it will be reached; may be repeated", 0, 0 },
};

static const struct seal_option backup_options[] = {
	ROW_DIR("of the root of trust"),
	{ "force", 0, SEAL_OPT_FLAG, OPTION(force), NULL, "replace the file if it is there", 0, 0 },
	{ "out", 'o', SEAL_OPT_STR, OPTION(out), "FILE", "write the backup there", 0, 0 },
};

static const struct seal_option restore_options[] = {
	ROW_DIR("the directory to restore it into"),
	{ "force", 0, SEAL_OPT_FLAG, OPTION(force), NULL, "move aside what the directory holds", 0,
	  0 },
	ROW_STORE("store", store,
		  "etcd:https://HOST:PORT,... or sqlite; default: sqlite, DIR/seal.db"),
	ROWS_ETCD,
	ROW_YES,
};

static const struct seal_option check_options[] = { ROW_DIR("of the root of trust") };

static const struct seal_option migrate_options[] = {
	ROW_DIR("of the root of trust"),
	ROWS_ETCD,
	ROW_STORE("to", to, "etcd:https://HOST:PORT,... or sqlite, DIR/seal.db"),
};

static const struct seal_option rekey_options[] = {
	ROW_DIR("of the root of trust"),
	{ "kek-file", 0, SEAL_OPT_STR, OPTION(kek_file), "FILE", "the old key; default: DIR/kek", 0,
	  0 },
	{ "kek-passphrase-file", 0, SEAL_OPT_STR, OPTION(kek_passphrase_file), "FILE",
	  "the old passphrase; -: standard input; default: asked for", 0, 0 },
	{ "new-kek-file", 0, SEAL_OPT_STR, OPTION(new_kek_file), "FILE",
	  "the new key; default: make DIR/kek", 0, 0 },
	{ "new-passphrase-file", 0, SEAL_OPT_STR, OPTION(new_passphrase_file), "FILE",
	  "make the new key from a passphrase; -: standard input, or asked for", 0, 0 },
};

#define OPERATOR_TTL_MIN 60u
#define OPERATOR_TTL_MAX (366u * 86400)

static const struct seal_option operator_options[] = {
	{ "directory", 'o', SEAL_OPT_STR, OPTION(file), "DIR",
	  "make this directory with ca.pem, cert.pem, key.pem, urls; default: NAME", 0, 0 },
	{ "role", 0, SEAL_OPT_STR, OPTION(role), "ROLE", "what it may do: admin, auditor or ci", 0,
	  0 },
	{ "ttl", 0, SEAL_OPT_DURATION, OPTION(ttl), "TIME",
	  "how long its credential is valid, 1m to 366d; default: 90d", OPERATOR_TTL_MIN,
	  OPERATOR_TTL_MAX },
};

static const struct seal_option profile_options[] = {
	{ "url", 0, SEAL_OPT_LIST, OPTION(urls), "URL",
	  "of its root of trust; may be repeated; default: what DIR/urls says", 0, 0 },
};

static const struct seal_option create_options[] = {
	{ "open", 0, SEAL_OPT_FLAG, OPTION(open), NULL,
	  "let every peer call every peer, instead of any calling any", 0, 0 },
};

static const struct seal_option confirm_options[] = { ROW_YES };

static const struct seal_option retire_options[] = {
	{ "force", 0, SEAL_OPT_FLAG, OPTION(force), NULL, "even while something depends on it", 0,
	  0 },
	ROW_YES,
};

#define TIMEOUT_MAX (31u * 86400)
static const struct seal_option rotate_options[] = {
	{ "force", 0, SEAL_OPT_FLAG, OPTION(force), NULL,
	  "with --switch: even before everyone has it", 0, 0 },
	{ "switch", 0, SEAL_OPT_FLAG, OPTION(switch_), NULL,
	  "the second step: use the one that was introduced", 0, 0 },
	{ "timeout", 0, SEAL_OPT_DURATION, OPTION(timeout), "TIME",
	  "with --wait: how long at most (90s, 15m, 24h); default: 10m", 1, TIMEOUT_MAX },
	{ "wait", 0, SEAL_OPT_FLAG, OPTION(wait), NULL,
	  "all steps, waiting between them; goes on with what was begun", 0, 0 },
};

static const struct seal_option seal_options[] = {
	{ "container", 0, SEAL_OPT_STR, OPTION(container), "NAME",
	  "for this container of the pod only", 0, 0 },
	{ "key", 0, SEAL_OPT_STR, OPTION(key), "KEY", "the key in the object", 0, 0 },
	{ "kind", 0, SEAL_OPT_STR, OPTION(kind), "KIND", "the object's kind: Secret, ConfigMap", 0,
	  0 },
	{ "name", 0, SEAL_OPT_STR, OPTION(name), "NAME", "the object's name", 0, 0 },
	{ "namespace", 'n', SEAL_OPT_STR, OPTION(ns), "NAMESPACE",
	  "the object's namespace; default: default", 0, 0 },
	ROW_PEER,
};

static const struct seal_option mint_options[] = {
	{ "allow-plain-config", 0, SEAL_OPT_FLAG, OPTION(plain_config), NULL,
	  "let the sidecar take its listeners from flags and plain files", 0, 0 },
	{ "container", 0, SEAL_OPT_LIST, OPTION(containers), "NAME",
	  "write token-NAME for the image of this container; may be repeated", 0, 0 },
	{ "file", 'o', SEAL_OPT_STR, OPTION(file), "FILE",
	  "write the egg there, mode 0600; the file must not exist", 0, 0 },
	ROW_HOSTNAME("a host name, or *.suffix, pods may ask for; may be repeated"),
	{ "max-hatches", 0, SEAL_OPT_NUMBER, OPTION(max_hatches), "N",
	  "how often it may hatch; default: without limit", 1, EGG_HATCHES_MAX },
	ROW_PEER,
	{ "ttl", 0, SEAL_OPT_DURATION, OPTION(ttl), "TIME",
	  "how long it may hatch (90s, 15m, 24h, 30d); default: 30d", 1, EGG_TTL_MAX },
};

static const struct seal_option issue_options[] = {
	{ "directory", 'o', SEAL_OPT_STR, OPTION(file), "DIR",
	  "make this directory with ca.pem, cert.pem, key.pem, bundle.p12", 0, 0 },
	ROW_HOSTNAME("a host name in the certificate; may be repeated"),
	{ "p12-password-file", 0, SEAL_OPT_STR, OPTION(p12_password_file), "FILE",
	  "the password of bundle.p12; default: the empty password", 0, 0 },
	ROW_PEER,
	{ "ttl", 0, SEAL_OPT_DURATION, OPTION(ttl), "TIME",
	  "how long it is valid, 1m to 7d; default: 24h", ROT_MIN_LIFETIME, ROT_MAX_LIFETIME },
};

static const struct seal_option certs_options[] = {
	{ "state", 0, SEAL_OPT_STR, OPTION(state), "STATE",
	  "live, revoked, expired or all; default: live", 0, 0 },
};

static const struct seal_option enrol_options[] = {
	{ "expires", 0, SEAL_OPT_DURATION, OPTION(expires), "TIME",
	  "how long the credential can be used, 1s to 30d; default: 1h", 1, ENROL_EXPIRES_MAX },
	{ "file", 'o', SEAL_OPT_STR, OPTION(file), "FILE",
	  "write it there for curl -K, mode 0600; or json, or yaml: print it so", 0, 0 },
	ROW_HOSTNAME("a host name in the certificates; may be repeated"),
	ROW_PEER,
	{ "ttl", 0, SEAL_OPT_DURATION, OPTION(ttl), "TIME",
	  "how long a certificate is valid, 1m to 7d; default: 24h", ROT_MIN_LIFETIME,
	  ROT_MAX_LIFETIME },
};

#define ROW_FILENAME(text)                                                                         \
	{                                                                                          \
		"filename", 'f', SEAL_OPT_LIST, OPTION(filenames), "FILE", text, 0, 0              \
	}
#define ROW_RECURSIVE                                                                              \
	{                                                                                          \
		"recursive", 'R', SEAL_OPT_FLAG, OPTION(recursive), NULL,                          \
			"with a folder: also the folders in it", 0, 0                              \
	}
#define ROW_WRAP_PATH                                                                              \
	{                                                                                          \
		"wrap-path", 0, SEAL_OPT_STR, OPTION(wrap_path), "PATH",                           \
			"of seal-wrap in the images; default: /usr/bin/seal-wrap", 0, 0            \
	}

static const struct seal_option inject_options[] = {
	{ "dry-run", 0, SEAL_OPT_FLAG, OPTION(dry_run), NULL,
	  "look at everything and report; seal and write nothing", 0, 0 },
	{ "exempt", 0, SEAL_OPT_LIST, OPTION(exempt), "KIND/NAME",
	  "leave this object in clear; may be repeated", 0, 0 },
	{ "explain", 0, SEAL_OPT_FLAG, OPTION(explain), NULL,
	  "report what was done with each thing, and why", 0, 0 },
	{ "explain-format", 0, SEAL_OPT_STR, OPTION(explain_format), "FORMAT",
	  "of that report: table (default) or json", 0, 0 },
	ROW_FILENAME("a manifest, a folder of them, or -; may be repeated"),
	{ "image-config", 0, SEAL_OPT_LIST, OPTION(image_configs), "[NAME=]FILE",
	  "what images run: skopeo inspect --config, or an OCI layout", 0, 0 },
	{ "namespace", 'n', SEAL_OPT_STR, OPTION(ns), "NAMESPACE",
	  "of objects that name none; default: default", 0, 0 },
	{ "only", 0, SEAL_OPT_STR, OPTION(only), "WHAT",
	  "seal: ConfigMaps and Secrets alone; sidecar: pods alone", 0, 0 },
	{ "out", 'o', SEAL_OPT_STR, OPTION(out), "FILE",
	  "write there, whole or not at all; default: standard output", 0, 0 },
	{ "peer", 'p', SEAL_OPT_STR, OPTION(peer), "PEER",
	  "the peer that may open it; default: any, the peer without one", 0, 0 },
	{ "policy", 0, SEAL_OPT_STR, OPTION(policy), "FILE",
	  "what the host may hand in to all pods, in YAML or JSON: seal-policy(5)", 0, 0 },
	{ "proxy-image", 0, SEAL_OPT_STR, OPTION(proxy_image), "IMAGE",
	  "of the sidecar; default: seal-proxy and the version of seal", 0, 0 },
	ROW_RECURSIVE,
	{ "workload", 'w', SEAL_OPT_STR, OPTION(workload), "NAME", "the workload it is for", 0, 0 },
	ROW_WRAP_PATH,
};

static const struct seal_option unseal_options[] = {
	ROW_FILENAME("a manifest that was injected, a folder, or -: print the original"),
	{ "namespace", 'n', SEAL_OPT_STR, OPTION(ns), "NAMESPACE",
	  "with -f: of objects that name none; default: default", 0, 0 },
	{ "out", 0, SEAL_OPT_STR, OPTION(out), "FILE", "with -f: write there", 0, 0 },
	ROW_RECURSIVE,
	ROW_WRAP_PATH,
};

static const struct seal_option kata_options[] = {
	{ "algorithm", 0, SEAL_OPT_STR, OPTION(algorithm), "NAME",
	  "of the document's digest: sha256 (default) or sha384", 0, 0 },
	{ "allow-host-images", 0, SEAL_OPT_FLAG, OPTION(allow_host_images), NULL,
	  "take images from the host, instead of pulling them in the enclave", 0, 0 },
	{ "allow-logs", 0, SEAL_OPT_FLAG, OPTION(allow_logs), NULL,
	  "let the host read what containers print", 0, 0 },
	ROW_FILENAME("an injected manifest, a folder of them, or -; may be repeated"),
	{ "namespace", 'n', SEAL_OPT_STR, OPTION(ns), "NAMESPACE",
	  "of objects that name none; default: default", 0, 0 },
	{ "output", 'o', SEAL_OPT_STR, OPTION(policy_format), "FORMAT",
	  "rego (default), initdata or json", 0, 0 },
	{ "proxy-path", 0, SEAL_OPT_STR, OPTION(proxy_path), "PATH",
	  "of seal-proxy in its image; default: /usr/bin/seal-proxy", 0, 0 },
	ROW_RECURSIVE,
};

static const struct seal_option audit_export_options[] = {
	{ "file", 'o', SEAL_OPT_STR, OPTION(file), "FILE",
	  "write the log there, with its heads; the file must not exist", 0, 0 },
};

static const struct seal_option audit_head_options[] = {
	{ "file", 'o', SEAL_OPT_STR, OPTION(file), "FILE",
	  "write it there; default: standard output; the file must not exist", 0, 0 },
};

static const struct seal_option audit_list_options[] = {
	{ "follow", 'f', SEAL_OPT_FLAG, OPTION(follow), NULL,
	  "then wait for new entries, and print them as they come", 0, 0 },
	{ "kind", 0, SEAL_OPT_LIST, OPTION(kinds), "KIND",
	  "of this kind (hatch, egg.mint, ...); may be repeated", 0, 0 },
	{ "refused", 0, SEAL_OPT_FLAG, OPTION(refused), NULL, "what was refused, alone", 0, 0 },
	{ "since", 0, SEAL_OPT_STR, OPTION(since), "TIME",
	  "from then on: 2h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z", 0, 0 },
	{ "until", 0, SEAL_OPT_STR, OPTION(until), "TIME", "until then, the same", 0, 0 },
	{ "workload", 'w', SEAL_OPT_STR, OPTION(workload), "NAME", "of this workload", 0, 0 },
};

static const struct seal_option audit_verify_options[] = {
	{ "file", 0, SEAL_OPT_STR, OPTION(source), "FILE",
	  "check what seal audit export wrote, and call nobody", 0, 0 },
	{ "head", 0, SEAL_OPT_LIST, OPTION(heads), "FILE",
	  "heads that were kept elsewhere; may be repeated", 0, 0 },
	{ "key", 0, SEAL_OPT_STR, OPTION(key), "SHA256|FILE",
	  "the log's key: its SHA-256, or a file with that or with a head", 0, 0 },
};

#define OPTIONS(table) table, SEAL_COUNT(table)
#define NO_OPTIONS     NULL, 0

const struct cli_verb cli_verbs[] = {
	{ "audit", "export", "", 0, 0, OPTIONS(audit_export_options), CLI_CALLS | CLI_FILES,
	  cli_audit_export, "Write the audit log into a file, to be verified without us",
	  "With all heads that were kept, and one signed now." },
	{ "audit", "head", "", 0, 0, OPTIONS(audit_head_options), CLI_CALLS | CLI_FILES,
	  cli_audit_head, "Sign and print the audit log's head as it is now",
	  "Keep it elsewhere: whoever has it can prove, with seal audit verify --head, that "
	  "nothing\n"
	  "before it was removed, changed, inserted, moved or cut off. It holds no secret." },
	{ "audit", "list", "", 0, 0, OPTIONS(audit_list_options), CLI_CALLS | CLI_SHOWS,
	  cli_audit_list, "List the audit log, oldest entry first",
	  "Every issuance, release, refusal and change. What is listed was not verified." },
	{ "audit", "verify", "", 0, 0, OPTIONS(audit_verify_options), CLI_CALLS | CLI_SHOWS,
	  cli_audit_verify, "Prove that the audit log is whole",
	  "Reads all of it and holds it against every head: those in the store, those of --head, "
	  "and\n"
	  "the one seen here last. Without any of the last two, and without --key, the log's key\n"
	  "is believed, as there is nothing to compare it with: see seal(1)." },
	{ "backup", NULL, "", 0, 0, OPTIONS(backup_options), CLI_SHOWS | CLI_FILES, cli_backup,
	  "Write what the store of a root of trust holds into a file",
	  "On its machine, while seal-rot serves or not. Keys in it are encrypted under the\n"
	  "key-encryption key, which is not in it: keep that elsewhere. See docs/BACKUP.md." },
	{ "cert", "enrol", "WORKLOAD", 1, 1, OPTIONS(enrol_options),
	  CLI_CALLS | CLI_SHOWS | CLI_FILES, cli_cert_enrol,
	  "Make a credential for one enrolment over EST by a client outside",
	  "The client makes its key itself, and gets its certificate from seal-rot --est with "
	  "this\n"
	  "id and secret, once; with the certificate it then gets further ones. The secret is "
	  "shown\n"
	  "here and never again. FILE is for curl -K: the secret appears on no command line." },
	{ "cert", "issue", "WORKLOAD", 1, 1, OPTIONS(issue_options),
	  CLI_CALLS | CLI_SHOWS | CLI_FILES, cli_cert_issue,
	  "Issue a certificate for a client or server outside",
	  "The key is made here and never leaves the directory. Such a certificate is not "
	  "renewed:\n"
	  "issue another one in time. bundle.p12 has the password of --p12-password-file (its one\n"
	  "line), or the empty one: mind who may read it." },
	{ "cert", "list", "[WORKLOAD]", 0, 1, OPTIONS(certs_options), CLI_CALLS | CLI_SHOWS,
	  cli_cert_list, "List the certificates of pods and of those outside, by their end",
	  "Expired ones are remembered for a month." },
	{ "cert", "revoke", "SERIAL", 1, 1, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_cert_revoke, "Revoke a certificate and those renewed from it",
	  "Its connections are closed. A pod whose certificate ends hatches its egg again, if it "
	  "has "
	  "one:\n"
	  "revoke the egg to keep it out." },
	{ "cert", "show", "SERIAL", 1, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_cert_show,
	  "Show what the root of trust knows of a certificate", NULL },
	{ "completion", NULL, "bash|fish|zsh", 1, 1, NO_OPTIONS, 0, cli_completion,
	  "Print the completion script of a shell",
	  "For this shell alone: source <(seal completion bash). Where shells look for such files "
	  "by\n"
	  "themselves, and what is installed there, is in seal(1)." },
	{ "egg", "list", "[WORKLOAD]", 0, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_egg_list,
	  "List eggs, oldest first", NULL },
	{ "egg", "mint", "WORKLOAD", 1, 1, OPTIONS(mint_options), CLI_CALLS | CLI_SHOWS | CLI_FILES,
	  cli_egg_mint, "Mint an egg from which pods get their identity",
	  "The egg holds a private key, made here. Without -o it goes to standard output, unless\n"
	  "that is a terminal. Tokens go beside it: token-NAME becomes /etc/seal/token." },
	{ "egg", "revoke", "ID", 1, 1, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_egg_revoke, "Revoke an egg and all certificates that came of it",
	  "Nothing hatches from it or is renewed any more; connections are closed." },
	{ "egg", "show", "ID|FILE", 1, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_egg_show,
	  "Show what the root of trust knows of an egg, or what an egg file says",
	  "Never its key. A file is read without calling the root of trust." },
	{ "enrolment", "list", "[WORKLOAD]", 0, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS,
	  cli_enrolment_list, "List enrolments, oldest first", NULL },
	{ "enrolment", "revoke", "ID", 1, 1, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_enrolment_revoke, "Revoke an enrolment and all certificates that came of it", NULL },
	{ "help", NULL, "[VERB [SUBVERB]]", 0, 2, NO_OPTIONS, 0, cli_help,
	  "Explain a verb, or list them all", NULL },
	{ "init", NULL, "", 0, 0, OPTIONS(init_options), CLI_SHOWS, cli_init,
	  "Make a root of trust in a directory",
	  "DIR must not exist. Its private keys are encrypted under the key-encryption key, 64\n"
	  "hexadecimal digits: keep a copy of that elsewhere, and neither copy where others read.\n"
	  "DIR/admin is a first credential for --credentials. Serve it with seal-rot --dir DIR." },
	{ "inject", NULL, "", 0, 0, OPTIONS(inject_options), CLI_CALLS, cli_inject,
	  "Seal manifests of Kubernetes and add the sidecar to their pods",
	  "Nothing is sealed and nothing written when anything in them is wrong. What was "
	  "injected\n"
	  "before stays as it is. Exemptions and listeners are annotations: see seal-inject(1)." },
	{ "operator", "add", "NAME", 1, 1, OPTIONS(operator_options),
	  CLI_CALLS | CLI_SHOWS | CLI_FILES, cli_operator_add,
	  "Add an operator: make a key and a certificate for it",
	  "The key is made here and never leaves the directory. Whoever gets that takes it in "
	  "with\n"
	  "'seal profile add NAME DIR'. An auditor sees everything and changes nothing; a ci "
	  "mints\n"
	  "eggs and seals. 'local' and 'self' are no names for operators." },
	{ "operator", "list", "", 0, 0, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_operator_list,
	  "List operators, revoked ones as well", NULL },
	{ "operator", "renew", "", 0, 0, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_operator_renew,
	  "Renew our own credential: a new key and a new certificate",
	  "In the place of the old ones, for as long as they were for. Every verb warns when less\n"
	  "than 30 days, or a tenth of a shorter life, is left." },
	{ "operator", "revoke", "NAME", 1, 1, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_operator_revoke, "Revoke an operator: refused from its next request on",
	  "The last admin, too: the local socket of seal-rot remains. The name can be given "
	  "again." },
	{ "peer", "allow", "WORKLOAD CLIENT SERVER", 3, 3, NO_OPTIONS, CLI_CALLS | CLI_SHOWS,
	  cli_peer_allow, "Let a peer call another", "* stands for every peer: quote it." },
	{ "peer", "deny", "WORKLOAD CLIENT SERVER", 3, 3, NO_OPTIONS, CLI_CALLS | CLI_SHOWS,
	  cli_peer_deny, "Remove a pair: the peer may no longer call the other",
	  "Removes exactly the pair that 'seal peer list' shows; * is quoted." },
	{ "peer", "list", "WORKLOAD", 1, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_peer_list,
	  "List who may call whom; what is not listed is denied", NULL },
	{ "peer", "revoke", "WORKLOAD PEER", 2, 2, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_peer_revoke, "Revoke all certificates, eggs and enrolments of a peer",
	  "Its pairs stay: what is minted for it afterwards is as good as any." },
	{ "policy", "kata", "[FILE]", 0, 1, OPTIONS(kata_options), 0, cli_policy_kata,
	  "Write what Kata Containers' agent may do, from an injected manifest",
	  "Reads FILE, what -f names, or standard input; calls nobody. Exactly the containers of\n"
	  "one pod can be created, and their probes and hooks executed: see docs/kata.md." },
	{ "profile", "add", "NAME DIR", 2, 2, OPTIONS(profile_options), CLI_SHOWS, cli_profile_add,
	  "Take in a credential under a name for --profile",
	  "Copies ca.pem, cert.pem, key.pem and urls from DIR, which can be removed then. The one\n"
	  "called 'default' is used when nothing else is said." },
	{ "profile", "list", "", 0, 0, NO_OPTIONS, CLI_SHOWS, cli_profile_list, "List profiles",
	  "Calls nobody. PROBLEM says why one cannot be used." },
	{ "profile", "remove", "NAME", 1, 1, OPTIONS(confirm_options), CLI_SHOWS,
	  cli_profile_remove, "Remove a profile with its key",
	  "The credential itself stays good: seal operator revoke ends it." },
	{ "profile", "use", "NAME", 1, 1, NO_OPTIONS, CLI_SHOWS, cli_profile_use,
	  "Use this profile from now on when nothing else is said", NULL },
	{ "rekey", NULL, "", 0, 0, OPTIONS(rekey_options), CLI_SHOWS, cli_rekey,
	  "Put a root of trust under another key-encryption key",
	  "seal-rot must not run; of replicas none. Interrupted, it is finished by the same "
	  "command\n"
	  "with the same keys. Backups made before are under the old key." },
	{ "restore", NULL, "FILE", 1, 1, OPTIONS(restore_options), CLI_SHOWS, cli_restore,
	  "Make the store of a root of trust from a backup",
	  "Whole or not at all. Certificates issued and revocations made since the backup are not\n"
	  "in it: docs/BACKUP.md says what to do about them." },
	{ "seal", NULL, "WORKLOAD [FILE]", 1, 2, OPTIONS(seal_options), CLI_CALLS | CLI_SHOWS,
	  cli_seal, "Seal one value for its place in an object",
	  "Reads FILE, or standard input. The object then has this one value: pods refuse values\n"
	  "sealed for it before. Whole manifests are sealed by seal inject." },
	{ "status", NULL, "", 0, 0, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_status,
	  "Show the root of trust, what of it expires next, and who we are to it",
	  "Warnings go to standard error." },
	{ "store", "check", "", 0, 0, OPTIONS(check_options), CLI_SHOWS, cli_store_check,
	  "Read the whole store of a root of trust, and verify every checksum",
	  "On its machine, while seal-rot serves or not." },
	{ "store", "migrate", "", 0, 0, OPTIONS(migrate_options), CLI_SHOWS, cli_store_migrate,
	  "Move the store of a root of trust to etcd, or back into its directory",
	  "seal-rot must not run. What was copied is read back and compared; then the old place\n"
	  "refuses to be served. Interrupted, it is finished by the same command, or taken back "
	  "by\n"
	  "naming the place where the store was." },
	{ "unseal", NULL, "[FILE]", 0, 1, OPTIONS(unseal_options), CLI_CALLS | CLI_SHOWS,
	  cli_unseal, "Open one sealed value and print it",
	  "Reads FILE, or standard input. With -o json also where it belongs." },
	{ "version", NULL, "", 0, 0, NO_OPTIONS, CLI_SHOWS, cli_version, "Show the version", NULL },
	{ "workload", "create", "NAME", 1, 1, OPTIONS(create_options), CLI_CALLS | CLI_SHOWS,
	  cli_workload_create, "Create a workload with a CA of its own", NULL },
	{ "workload", "delete", "NAME", 1, 1, OPTIONS(confirm_options), CLI_CALLS | CLI_SHOWS,
	  cli_workload_delete, "Delete a workload with its CA, policy and eggs", NULL },
	{ "workload", "list", "", 0, 0, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_workload_list,
	  "List workloads", NULL },
	{ "workload", "retire-ca", "NAME GENERATION", 2, 2, OPTIONS(retire_options),
	  CLI_CALLS | CLI_SHOWS, cli_workload_retire_ca,
	  "Retire a CA generation: nobody trusts what it certified",
	  "The last step of rotate-ca. Refused while certificates of it can be used, unless "
	  "--force;\n"
	  "seal workload show says whose. One that was only introduced can be given up so." },
	{ "workload", "retire-key", "NAME GENERATION", 2, 2, OPTIONS(retire_options),
	  CLI_CALLS | CLI_SHOWS, cli_workload_retire_key,
	  "Retire a key generation: what it sealed opens no more",
	  "Refused while objects were sealed with it last, unless --force; seal workload show "
	  "says\n"
	  "how many. What applications encrypted with it themselves is not counted." },
	{ "workload", "rotate-ca", "NAME", 1, 1, OPTIONS(rotate_options), CLI_CALLS | CLI_SHOWS,
	  cli_workload_rotate_ca, "Introduce a new CA generation, or switch to it",
	  "Pods trust the new one first; it signs when all have it (--switch), and pods renew; "
	  "then the\n"
	  "old one is retired (retire-ca). No connection breaks. --wait does all of it. "
	  "Certificates of\n"
	  "seal cert issue know what their files say: issue them again, and revoke the old ones." },
	{ "workload", "rotate-key", "NAME", 1, 1, OPTIONS(rotate_options), CLI_CALLS | CLI_SHOWS,
	  cli_workload_rotate_key, "Introduce a new key generation, or switch to it",
	  "Pods get the new keys first; they seal when all have them (--switch). What was sealed "
	  "before\n"
	  "still opens. --wait does both; retire-key is for when everything was sealed again." },
	{ "workload", "show", "NAME", 1, 1, NO_OPTIONS, CLI_CALLS | CLI_SHOWS, cli_workload_show,
	  "Show a workload, its CAs and keys, and what depends on old ones",
	  "With -o json its CA bundle, too." },
};

const size_t cli_verb_count = SEAL_COUNT(cli_verbs);
