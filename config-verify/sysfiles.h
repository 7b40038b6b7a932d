/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_SYSFILES_H
#define SEAL_VERIFY_SYSFILES_H

/*
 * The judgement of the files that kubelet and runtime write into a container.  Each is parsed whole, with
 * limits, by the strictest reading under which every resolver in use reads the same; then by what it
 * means.  Pure: bytes and a policy in, findings out; policy may be NULL, then nothing is pinned, and
 * what only a policy could explain is no finding.  Printable ASCII, blanks and line feeds are all a text
 * file may hold: at other bytes readers part.
 */

#include <stddef.h>
#include <stdint.h>

#include "config-verify/finding.h"
#include "config-verify/policy.h"

#define VERIFY_HOSTS_MAX      (1024u * 1024) /* bytes */
#define VERIFY_RESOLV_MAX     (64u * 1024)
#define VERIFY_HOSTNAME_MAX   256
#define VERIFY_TOKEN_MAX      (16u * 1024)
#define VERIFY_CA_MAX         (1024u * 1024)
#define VERIFY_ACCOUNT_NS_MAX 64

#define VERIFY_HOSTS_FILE    "/etc/hosts"
#define VERIFY_RESOLV_FILE   "/etc/resolv.conf"
#define VERIFY_HOSTNAME_FILE "/etc/hostname"
#define VERIFY_ACCOUNT_DIR   "/var/run/secrets/kubernetes.io/serviceaccount"

/* What the kernel says of the pod, which the files have to agree with. */
struct verify_self {
	const char *hostname;                   /* NULL: not known (saved files) */
	const struct verify_address *addresses; /* of its interfaces, loopback left out */
	size_t address_count;                   /* 0: not known */
	uint64_t now;                           /* seconds since 1970; 0: times are not judged */
};

/*
 * hosts(5).  Whatever it says of localhost, ip6-localhost and their kind must be loopback, and localhost
 * must be there; the pod's own name must lead to an address of its own; loopback is otherwise for names
 * that the policy says so of, and, in the host's network, for its name.  policy->hosts for the rest.  Each
 * line of a name is judged by itself.
 */
void verify_hosts_judge(const void *text, size_t len, const struct verify_policy *policy,
			const struct verify_self *self, struct verify_findings *findings);
/*
 * resolv.conf(5), as glibc, musl and Go read it.  With dnsPolicy None it lists exactly what the policy
 * does.  Otherwise every server lies in a pinned network; of pinned searches some may be missing, but
 * their order is kept; and pinned options are all there, and no others.
 */
void verify_resolv_judge(const void *text, size_t len, const struct verify_policy *policy,
			 struct verify_findings *findings);
/* One name (RFC 1123 section 2.1) and at most one line end; the kernel's own, and the policy's. */
void verify_hostname_judge(const void *text, size_t len, const struct verify_policy *policy,
			   const struct verify_self *self, struct verify_findings *findings);

/* ---- The service account's directory; file is how the container names the file ---- */

void verify_namespace_judge(const char *file, const void *text, size_t len,
			    const struct verify_policy *policy, struct verify_findings *findings);
/* PEM, certificates and nothing else; with policy->account.ca each of them is pinned. */
void verify_ca_judge(const char *file, const void *text, size_t len,
		     const struct verify_policy *policy, struct verify_findings *findings);
/*
 * A JWS (RFC 7515) with an asymmetric algorithm, its claims as Kubernetes writes them (iss, aud, sub, exp,
 * nbf, iat, "kubernetes.io").  The signature is NOT verified: the key is the host's own.  A token of a
 * Secret, which names no end, is refused.
 */
void verify_token_judge(const char *file, const void *text, size_t len,
			const struct verify_policy *policy, const struct verify_self *self,
			struct verify_findings *findings);

/* Is that it has expired what was found of a token? */
bool verify_token_has_expired(const struct verify_finding *finding);

/* ---- The environment the host started us with ---- */

/*
 * env.loader: variables by which the host would choose the code of a program that is not static.  image
 * are the image's own, as the sealed spec knows them ("NAME=value"): these are no findings.
 * env.service: NAME_SERVICE_HOST, NAME_SERVICE_PORT, NAME_PORT and NAME_PORT_<n>_TCP[_ADDR|_PORT|_PROTO]
 * of one NAME agree, and are addresses and ports.  NULL-terminated lists; image may be NULL.  file of the
 * findings is "environment".
 */
void verify_environment_judge(const char *const *environment, const char *const *image,
			      struct verify_findings *findings);

#endif
