/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom an egg or a certificate is for: checked here, so that a slip is answered before a key is made,
 * and checked again by the root of trust, which is the one that counts.
 */

#include <string.h>

#include "rot/cli/cli.h"

static int
check_hostnames(const struct seal_strv *names, bool patterns, struct seal_err *err)
{
	int r;

	if (names->count > ROT_MAX_HOSTNAMES)
		return seal_fail(err, SEAL_E_LIMIT, "%zu host names are more than %d", names->count,
				 ROT_MAX_HOSTNAMES);
	for (size_t i = 0; i < names->count; i++) {
		r = patterns ? seal_hostname_pattern_check(names->items[i], err)
			     : seal_hostname_check(names->items[i], err);
		if (r < 0)
			return seal_note(err, r, "--hostname");
		for (size_t j = 0; j < i; j++) {
			if (strcmp(names->items[i], names->items[j]) == 0)
				return seal_fail(err, SEAL_E_USAGE,
						 "--hostname %s is given twice: leave one out",
						 names->items[i]);
		}
	}
	return 0;
}

int
cli_check_subject(const struct cli *cli, bool patterns, struct seal_err *err)
{
	int r;

	r = seal_workload_check(cli->args[0], err);
	if (r < 0)
		return r;
	if (cli->opt.peer != NULL) {
		r = seal_peer_check(cli->opt.peer, err);
		if (r < 0)
			return seal_note(err, r, "--peer");
	}
	return check_hostnames(&cli->opt.hostnames, patterns, err);
}

/* What is not given is left out: the defaults are the root of trust's. */
void
cli_subject(const struct cli *cli, struct seal_json *request, const char *csr)
{
	seal_json_set_str(request, "workload", cli->args[0]);
	if (cli->opt.peer != NULL)
		seal_json_set_str(request, "peer", cli->opt.peer);
	if (cli->opt.hostnames.count > 0)
		seal_json_set_strv(request, "hostnames", &cli->opt.hostnames);
	if (cli->opt.ttl != 0)
		seal_json_set_u64(request, "ttl", cli->opt.ttl);
	if (csr != NULL)
		seal_json_set_str(request, "csr", csr);
}
