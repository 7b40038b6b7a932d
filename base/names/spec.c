/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short spelling of a listener, as far as all who take it apart must do so alike.
 */
#include <string.h>

#include "base/names/names.h"

char *
seal_spec_peers(char *targets)
{
	char *at = NULL;

	if (strstr(targets, "unix:") == NULL)
		return strchr(targets, '/');
	for (char *next = strstr(targets, ".sock/"); next != NULL;
	     next = strstr(next + 1, ".sock/"))
		at = next + strlen(".sock");
	return at;
}
