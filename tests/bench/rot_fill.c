/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-rot-fill: a store as it is after years: hatches from the eggs named on standard input, one an hour of each or
 * a thousand, written straight into the store as seal-rot would have written them.  Nobody may serve it meanwhile.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crypto/crypto.h"
#include "rot/server/store.h"
#include "tests/bench/traffic.h"

#define BATCH    2000u
#define MAX_EGGS 100000u
#define DAY      86400

static char (*eggs)[SEAL_ID_LEN + 1];
static size_t egg_count;

static void
read_eggs(void)
{
	char text[128];

	eggs = calloc(MAX_EGGS, sizeof(*eggs));
	while (eggs != NULL && egg_count < MAX_EGGS && fgets(text, sizeof(text), stdin) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		if (strlen(text) != SEAL_ID_LEN)
			die("'%s' is no egg's id", text);
		memcpy(eggs[egg_count++], text, SEAL_ID_LEN + 1);
	}
	if (egg_count == 0)
		die("no eggs");
}

/* Of the last day: none of them has expired. */
static int
add(struct rot_store *store, uint64_t number, uint64_t count, int64_t now, struct seal_err *err)
{
	struct rot_cert cert = { 0 };
	uint8_t dice[12];
	int r = seal_random(dice, sizeof(dice), err);

	if (r < 0)
		return r;
	cert.created_at = now - DAY + 600 + (int64_t)(number * (DAY - 1200) / count);
	cert.not_before = cert.created_at - 300;
	cert.not_after = cert.created_at + DAY;
	(void)snprintf(cert.serial, sizeof(cert.serial), "%08" PRIx32, (uint32_t)cert.created_at);
	seal_hex_encode(cert.serial + 8, dice, sizeof(dice));
	(void)snprintf(cert.egg, sizeof(cert.egg), "%s", eggs[number % egg_count]);
	return rot_store_hatch(store, &cert, now, err);
}

int
main(int argc, char **argv)
{
	struct rot_kv_config config = { 0 };
	struct rot_store *store = NULL;
	struct seal_err err = { 0 };
	int64_t now = (int64_t)time(NULL);
	char where[4096];
	uint64_t count;
	int r;

	if (argc != 3)
		die("usage: bench-rot-fill FILE COUNT < EGG-IDS");
	count = number_of("COUNT", argv[2], 1, UINT64_C(1) << 32);
	read_eggs();
	(void)snprintf(where, sizeof(where), "sqlite:%s", argv[1]);
	config.where = where;
	r = rot_store_open(&store, &config, &err);
	for (uint64_t i = 0; r == 0 && i < count;) {
		r = rot_store_begin(store, &err);
		for (uint64_t end = i + BATCH; r == 0 && i < end && i < count; i++)
			r = add(store, i, count, now, &err);
		if (r == 0)
			r = rot_store_commit(store, &err);
	}
	rot_store_close(store);
	if (r < 0)
		die("%s", err.text);
	return 0;
}
