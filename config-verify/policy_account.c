/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a policy that is about the service account.
 */

#include <string.h>

#include "config-verify/policy_internal.h"
#include "config-verify/sysfiles.h"

#define MAX_TEXT      1024 /* of an issuer or audience */
#define MAX_AUDIENCES 64
#define MAX_CAS       256

static int
check_printable(const char *text, struct seal_err *err)
{
	if (text[0] == '\0' || strlen(text) > MAX_TEXT)
		return seal_fail(err, SEAL_E_FORMAT, "a text that is empty, or longer than %d",
				 MAX_TEXT);
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~')
			return seal_fail(err, SEAL_E_FORMAT,
					 "a text with blanks, or not printable");
	return 0;
}

static int
parse_cas(struct verify_policy_store *store, const struct seal_json *account, struct seal_err *err)
{
	const struct seal_json *list = NULL;
	uint8_t(*cas)[SEAL_HASH_LEN];
	int r = verify_policy_list(account, "ca", MAX_CAS, &list, err);

	if (r < 0 || list == NULL)
		return r;
	if (seal_json_count(list) == 0)
		return seal_fail(err, SEAL_E_FORMAT, "ca is empty: nothing would be allowed");
	cas = verify_policy_room(store, seal_json_count(list), sizeof(*cas), err);
	if (cas == NULL)
		return SEAL_E_MEMORY;
	for (size_t i = 0; i < seal_json_count(list); i++) {
		const char *text = seal_json_str(seal_json_at(list, i));

		if (text == NULL ||
		    seal_hex_decode(cas[i], SEAL_HASH_LEN, text, strlen(text), NULL) < 0)
			return seal_fail(err, SEAL_E_FORMAT,
					 "ca[%zu] is no SHA-256 digest: %d hexadecimal digits", i,
					 2 * SEAL_HASH_LEN);
	}
	store->policy.account.cas = (const uint8_t(*)[SEAL_HASH_LEN])cas;
	store->policy.account.ca_count = seal_json_count(list);
	return 0;
}

/* A directory that is declared as a service account's, and none wanted. */
static int
check_account(const struct verify_policy *policy, struct seal_err *err)
{
	for (size_t i = 0; i < policy->mount_count; i++) {
		const struct verify_declared_mount *mount = &policy->mounts[i];

		if (policy->account.mounted == VERIFY_NO && mount->source == VERIFY_FROM_ACCOUNT &&
		    strcmp(mount->path, VERIFY_ACCOUNT_DIR) == 0)
			return seal_fail(
				err, SEAL_E_REFUSED,
				"account: mounted is \"no\", and its directory is declared");
	}
	return 0;
}

static int
parse_account_texts(struct verify_policy_store *store, const struct seal_json *account,
		    struct seal_err *err)
{
	struct verify_policy *policy = &store->policy;
	const struct seal_json *audiences = NULL;
	int r = verify_policy_text(store, account, "name", verify_policy_check_hostname,
				   &policy->account.name, err);

	if (r == 0)
		r = verify_policy_text(store, account, "issuer", check_printable,
				       &policy->account.issuer, err);
	if (r == 0)
		r = verify_policy_list(account, "audiences", MAX_AUDIENCES, &audiences, err);
	if (r == 0 && audiences != NULL && seal_json_count(audiences) == 0)
		r = seal_fail(err, SEAL_E_FORMAT, "audiences is empty: nothing would be allowed");
	if (r == 0 && audiences != NULL)
		r = verify_policy_texts(store, audiences, check_printable, false,
					&policy->account.audiences, &policy->account.audience_count,
					err);
	return r < 0 ? r : parse_cas(store, account, err);
}

int
verify_policy_parse_account(struct verify_policy_store *store, const struct seal_json *json,
			    struct seal_err *err)
{
	static const char *const known[] = { "mounted", "name", "issuer", "audiences", "ca", NULL };
	static const char *const presences[] = { "any", "yes", "no" };
	const struct seal_json *account = NULL;
	size_t presence = 0;
	int r = verify_policy_object(json, "account", known, &account, err);

	if (r < 0 || account == NULL)
		return r;
	r = verify_policy_word(account, "mounted", presences, SEAL_COUNT(presences), &presence,
			       err);
	if (r == 0)
		r = parse_account_texts(store, account, err);
	if (r < 0)
		return seal_note(err, r, "account");
	store->policy.account.mounted = (enum verify_presence)presence;
	return check_account(&store->policy, err);
}
