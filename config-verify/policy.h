/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_POLICY_H
#define SEAL_VERIFY_POLICY_H

/*
 * What a container may be handed by its host.  It is the member "verify" of the sealed spec, and a file of
 * its own for seal-verify; seal inject makes it from the pod and from what the owner pins.
 *
 *   "version"    1
 *   "mode"       "enforce" or "audit"
 *   "root"       {"types":["overlay"],"layers":3}: pins the root file system; both optional
 *   "mounts"     [{"path","source","volume","readOnly","optional","propagation"}]: all that is mounted besides what the
 *                runtime always mounts.  source: "memory" (a tmpfs of its own), "volume" (whatever the
 *                host stores), "account" (a service account's volume); propagation: "None",
 *                "HostToContainer" or "Bidirectional" as in a volumeMount; members absent are false or None.
 *                The service account's volume where Kubernetes puts it is not among them, unless
 *                the pod itself says it
 *   "pod"        {"namespace","name","hostname","hostnamePrefix","subdomain","hostNetwork"}: hostname the whole
 *                name, or hostnamePrefix what a generated one begins with
 *   "hosts"      {"aliases":[{"ip","hostnames":[]}], "names":[{"name","networks":[]}], "others":false}:
 *                names pins what a name may lead to; others: names that nothing explains may be there
 *   "resolv"     {"policy","nameservers":[],"searches":[],"options":[]}: policy is the pod's dnsPolicy;
 *                nameservers are networks (10.96.0.0/12, or one address).  What is absent is not pinned,
 *                and with dnsPolicy None all three are what dnsConfig says
 *   "account"    {"mounted":"yes"|"no"|"any","name","issuer","audiences":[],"ca":[]}: ca are SHA-256
 *                digests, in hexadecimal, of DER certificates
 *   "services"   bool: enableServiceLinks; absent: true
 *
 * All but version may be absent: then the mode is enforce, no mount is declared, and nothing else pinned.
 * Every network is a CIDR (RFC 4632, RFC 4291) without host bits; a member nobody knows is refused, and so
 * are contradictions: a mount declared twice, a pinned name that is an alias outside its networks.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/crypto/crypto.h"
#include "base/err/err.h"
#include "base/json/json.h"

#define VERIFY_POLICY_MAX   (64u * 1024)
#define VERIFY_MAX_MOUNTS   1024 /* declared ones */
#define VERIFY_MAX_NETWORKS 256  /* in one list */
#define VERIFY_MAX_NAMES    1024

/* ---- Addresses ---- */

struct verify_address {
	uint8_t bytes[16]; /* network order; v4-mapped for IPv4 */
};
struct verify_network {
	struct verify_address address;
	uint8_t bits; /* of 128: 96 + those of IPv4 */
};
/*
 * Strict: four decimal parts without leading zeros, or RFC 4291 section 2.2 without a zone.  IPv4-mapped
 * IPv6 is an IPv6 text and refused, for readers differ on it.  SEAL_E_FORMAT.
 */
SEAL_CHECKED int verify_address_parse(struct verify_address *ret_address, const char *text,
				      struct seal_err *err);
/* An interface's address; false when it is of another family, or none. */
bool verify_address_of_socket(struct verify_address *ret_address, const struct sockaddr *from);
/* An address alone is a network of one. */
SEAL_CHECKED int verify_network_parse(struct verify_network *ret_network, const char *text,
				      struct seal_err *err);
bool verify_network_has(const struct verify_network *network, const struct verify_address *address);
bool verify_address_is_loopback(const struct verify_address *address); /* 127.0.0.0/8, ::1 */
bool verify_address_is_v4(const struct verify_address *address);
#define VERIFY_ADDRESS_TEXT INET6_ADDRSTRLEN
void verify_address_format(const struct verify_address *address,
			   char out[static VERIFY_ADDRESS_TEXT]);

/* ---- The policy ---- */

enum verify_mode { VERIFY_ENFORCE, VERIFY_AUDIT };
enum verify_mount_source { VERIFY_FROM_MEMORY, VERIFY_FROM_VOLUME, VERIFY_FROM_ACCOUNT };
enum verify_propagation { VERIFY_PRIVATE, VERIFY_SLAVE, VERIFY_SHARED };
enum verify_presence { VERIFY_ANY, VERIFY_YES, VERIFY_NO };

struct verify_declared_mount {
	const char *path; /* verify_path_check */
	const char *
		volume; /* whose memory it is, when it is mounted in parts or more than once; NULL */
	enum verify_mount_source source;
	enum verify_propagation propagation;
	bool is_read_only; /* required; a read-only mount where false is said is allowed */
	bool is_optional;
};

struct verify_alias {
	struct verify_address address;
	const char *const *names; /* lower case */
	size_t name_count;
};

struct verify_pinned_name {
	const char *name; /* lower case, without a final dot */
	const struct verify_network *networks;
	size_t network_count;
};

/* Opened for reading; all of it lives as long as the policy.  Texts that are absent are NULL. */
struct verify_policy {
	enum verify_mode mode;
	struct {
		const char *const *types; /* of file systems; NULL: not pinned */
		size_t type_count;
		size_t layers; /* of an overlay, upper one included; 0: not pinned */
	} root;
	const struct verify_declared_mount *mounts;
	size_t mount_count;
	struct {
		const char *ns;
		const char *name; /* of the pod, when its owner chose it */
		const char *hostname;
		const char *hostname_prefix;
		const char *subdomain;
		bool has_host_network;
	} pod;
	struct {
		const struct verify_alias *aliases;
		size_t alias_count;
		const struct verify_pinned_name *names;
		size_t name_count;
		bool has_others;
	} hosts;
	struct {
		const char *policy; /* "ClusterFirst" and so on; NULL: not said */
		bool is_server_pinned, is_search_pinned, is_option_pinned;
		const struct verify_network *servers;
		size_t server_count;
		const char *const *searches; /* lower case */
		size_t search_count;
		const char *const *options; /* "ndots:5" */
		size_t option_count;
	} resolv;
	struct {
		enum verify_presence mounted;
		const char *name;
		const char *issuer;
		const char *const
			*audiences; /* one of them must be the token's; none: not pinned */
		size_t audience_count;
		const uint8_t (*cas)[SEAL_HASH_LEN];
		size_t ca_count;
	} account;
	bool has_services;
};

/* From the object described above.  SEAL_E_FORMAT, SEAL_E_LIMIT; SEAL_E_REFUSED for contradictions. */
SEAL_CHECKED int verify_policy_parse(struct verify_policy **ret_policy,
				     const struct seal_json *json, struct seal_err *err);
void verify_policy_free(struct verify_policy *policy);
void verify_policy_freep(struct verify_policy **policy);

#endif
