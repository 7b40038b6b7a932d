/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_FINDING_H
#define SEAL_VERIFY_FINDING_H

/*
 * What verification has to say: every way in which what the host handed in is not what it should be, as a
 * line a person can act upon.  The rules are named here, once; docs/VERIFY.md has a paragraph for each,
 * and a test sees to that.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"

/* Name in reports, and what is demanded. */
#define VERIFY_RULES(X)                                                                            \
	X(MOUNT_FORMAT, "mount.format", "the mount table is whole and well formed")                \
	X(MOUNT_TREE, "mount.tree", "mounts form one tree, below one root")                        \
	X(MOUNT_ROOT, "mount.root", "the root file system is the one that is pinned")              \
	X(MOUNT_SYSTEM, "mount.system", "what the runtime mounts is the kernel's own, as usual")   \
	X(MOUNT_UNEXPLAINED, "mount.unexplained", "every mount is declared, or the runtime's own") \
	X(MOUNT_MISSING, "mount.missing", "what is declared is mounted")                           \
	X(MOUNT_KIND, "mount.kind", "memory is memory, and a volume a volume")                     \
	X(MOUNT_ACCESS, "mount.access", "what is declared read-only is mounted read-only")         \
	X(MOUNT_PROPAGATION, "mount.propagation", "mounts made later by the host do not appear")   \
	X(MOUNT_HIDDEN, "mount.hidden", "no mount lies over another")                              \
	X(PROC_GENUINE, "proc.genuine", "/proc is the kernel's view of this container")            \
	X(DEVICE_GENUINE, "device.genuine", "the devices in /dev are those of their names")        \
	X(FILE_MISSING, "file.missing", "the file is there and can be read")                       \
	X(FILE_TYPE, "file.type", "it is a regular file, reached through no foreign link")         \
	X(FILE_SIZE, "file.size", "it is no larger than such a file can be")                       \
	X(FILE_OWNER, "file.owner", "it belongs to root or to us, and no other may write it")      \
	X(FILE_CHANGED, "file.changed", "it is one version, not two")                              \
	X(HOSTS_FORMAT, "hosts.format", "/etc/hosts has addresses and names, nothing else")        \
	X(HOSTS_LOCALHOST, "hosts.localhost", "localhost is loopback, and loopback localhost")     \
	X(HOSTS_SELF, "hosts.self", "the pod's own name leads to its own address")                 \
	X(HOSTS_PINNED, "hosts.pinned", "a pinned name leads into its networks")                   \
	X(HOSTS_UNEXPLAINED, "hosts.unexplained", "every name is the pod's, an alias or pinned")   \
	X(HOSTS_MISSING, "hosts.missing", "every alias of the pod is there")                       \
	X(RESOLV_FORMAT, "resolv.format", "/etc/resolv.conf follows resolv.conf(5)")               \
	X(RESOLV_SERVER, "resolv.server", "name servers lie in their networks")                    \
	X(RESOLV_SEARCH, "resolv.search", "names are searched in the pod's own domains")           \
	X(RESOLV_OPTION, "resolv.option", "options are known, and within their ranges")            \
	X(HOSTNAME_FORMAT, "hostname.format", "/etc/hostname is one name (RFC 1123)")              \
	X(HOSTNAME_NAME, "hostname.name", "the host's name is the pod's")                          \
	X(ACCOUNT_UNEXPECTED, "account.unexpected", "no service account where none is wanted")     \
	X(ACCOUNT_MISSING, "account.missing", "the service account is there when it is wanted")    \
	X(ACCOUNT_NAMESPACE, "account.namespace", "the namespace is the pod's")                    \
	X(ACCOUNT_CA, "account.ca", "ca.crt holds certificates, and none but pinned ones")         \
	X(TOKEN_FORMAT, "token.format", "the token is a signed JWT (RFC 7519)")                    \
	X(TOKEN_ISSUER, "token.issuer", "the token is of the cluster's issuer")                    \
	X(TOKEN_AUDIENCE, "token.audience", "the token is for the audience asked for")             \
	X(TOKEN_SUBJECT, "token.subject", "the token is of the pod's service account")             \
	X(TOKEN_TIME, "token.time", "the token is valid now")                                      \
	X(TOKEN_POD, "token.pod", "the token is bound to this pod")                                \
	X(ENV_LOADER, "env.loader", "no variable of the host chooses the code that runs")          \
	X(ENV_SERVICE, "env.service", "the variables of a service agree with each other")          \
	X(PROGRAM_PLACE, "program.place", "the program is the image's own")                        \
	X(DIRECTORY_PLACE, "directory.place", "the working directory is the image's or declared")

enum verify_rule {
#define VERIFY_RULE_ENUM(id, name, demand) VERIFY_RULE_##id,
	VERIFY_RULES(VERIFY_RULE_ENUM)
#undef VERIFY_RULE_ENUM
		VERIFY_RULE_COUNT,
};

const char *verify_rule_name(enum verify_rule rule);
const char *verify_rule_demand(enum verify_rule rule);

#define VERIFY_MAX_FINDINGS 256 /* later ones are counted only */

struct verify_finding {
	enum verify_rule rule;
	const char *file;     /* as the container names it: "/etc/hosts" */
	size_t line;          /* 0: the file as a whole */
	const char *found;    /* printable ASCII, a backslash as \\, other bytes as \xNN */
	const char *expected; /* likewise */
};

struct verify_findings;

SEAL_CHECKED int verify_findings_new(struct verify_findings **ret_findings, struct seal_err *err);
void verify_findings_free(struct verify_findings *findings);
void verify_findings_freep(struct verify_findings **findings);

/*
 * Add one.  Texts are copied and cut at some 250 characters; found is a format.  Cannot fail: what could
 * not be kept still counts.  The same finding twice is one.
 */
SEAL_PRINTF(6, 7)
void verify_suspect(struct verify_findings *findings, enum verify_rule rule, const char *file,
		    size_t line, const char *expected, const char *found, ...);

/* So many more were found, of which nothing is kept. */
void verify_findings_miss(struct verify_findings *findings, size_t count);
/* All that were added. */
size_t verify_findings_count(const struct verify_findings *findings);
/* Those that were kept; NULL beyond. */
const struct verify_finding *verify_findings_at(const struct verify_findings *findings,
						size_t index);
bool verify_findings_equal(const struct verify_findings *a, const struct verify_findings *b);

/* "/etc/hosts:7: hosts.localhost: found 10.0.0.1 for localhost, expected loopback". */
SEAL_CHECKED int verify_finding_format(const struct verify_finding *finding, struct seal_bytes *out,
				       struct seal_err *err);

#endif
