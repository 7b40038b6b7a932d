/* SPDX-License-Identifier: Apache-2.0 */
/* docs/SEALED.md: its examples, computed anew.  They were made by another implementation (Node's). */
#include <criterion/criterion.h>
#include <fcntl.h>

#include "base/fs/fs.h"
#include "config-verify/agent.h"
#include "config-verify/sealed.h"
#include "config-verify/token.h"

static struct seal_bytes page = SEAL_BYTES(256u * 1024);
static struct verify_ring *ring;

static void
add_key(const struct seal_secret *root, const char *text)
{
	struct seal_secret *key = NULL;
	struct verify_key_id id;

	cr_assert_eq(verify_key_id_parse(&id, text, NULL), 0);
	cr_assert_eq(verify_key_derive(&key, root, &id, NULL), 0);
	cr_assert_eq(verify_ring_add(ring, &id, &key, NULL), 0);
}

static void
setup(void)
{
	struct seal_secret *root = NULL;

	cr_assert_eq(
		seal_fs_read(&page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/SEALED.md", page.max, NULL),
		0);
	cr_assert_eq(seal_secret_new(&root, SEAL_KEY_LEN, NULL), 0);
	memset(seal_secret_bytes(root), 0x72, SEAL_KEY_LEN);
	cr_assert_eq(verify_ring_new(&ring, "shop", "web", NULL), 0);
	add_key(root, "shop/config/web/3");
	add_key(root, "shop/container/web/3");
	seal_secret_free(root);
}

static void
teardown(void)
{
	verify_ring_free(ring);
	seal_bytes_release(&page);
}

TestSuite(sealed_doc, .init = setup, .fini = teardown);

static void
expect_hex(const void *data, size_t len)
{
	char text[256];

	cr_assert_lt(len, sizeof(text) / 2);
	seal_hex_encode(text, data, len);
	cr_expect_not_null(strstr(seal_bytes_str(&page), text), "%s is not on the page", text);
}

/* The indented line that begins so.  The caller frees it. */
static char *
line(const char *begin)
{
	char start[64];
	const char *at;

	(void)snprintf(start, sizeof(start), "\n    %s", begin);
	at = strstr(seal_bytes_str(&page), start);
	cr_assert_not_null(at, "no line '%s'", begin);
	return seal_strndup(at + 5, strcspn(at + 5, "\n"));
}

Test(sealed_doc, has_the_keys_that_are_derived)
{
	expect_hex(seal_secret_peek(verify_ring_find(ring, VERIFY_CONFIG, 3)), SEAL_KEY_LEN);
	expect_hex(seal_secret_peek(verify_ring_find(ring, VERIFY_CONTAINER, 3)), SEAL_KEY_LEN);
}

Test(sealed_doc, has_a_value_that_opens_where_it_says)
{
	const struct verify_binding place = {
		.ns = "shop", .kind = "Secret", .name = "db", .key = "password", .gen = 7
	};
	struct verify_binding found = { 0 };
	struct seal_secret *plain = NULL;
	char *value = line("eyJ");
	struct seal_err err = { 0 };

	cr_assert_eq(verify_open(&plain, &found, ring, &place, value, strlen(value), &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(seal_secret_chars(plain), "hunter2");
	cr_expect_eq(found.of, 2);
	seal_secret_free(plain);
	free(value);
}

Test(sealed_doc, has_the_token_of_a_container_and_the_agents_first_frame)
{
	struct verify_token token = { 0 };
	struct verify_channel *channel = NULL;
	struct seal_secret *text = NULL;
	struct seal_bytes frame = SEAL_BYTES(1024);
	uint8_t container[VERIFY_AGENT_NONCE_LEN], agent[VERIFY_AGENT_NONCE_LEN];
	char *wanted = line(VERIFY_TOKEN_PREFIX);

	memset(container, 0x11, sizeof(container));
	memset(agent, 0x22, sizeof(agent));
	cr_assert_eq(verify_token_make(&token, ring, "app", 3, NULL), 0);
	cr_assert_eq(verify_token_encode(&token, &text, NULL), 0);
	cr_expect_str_eq(seal_secret_chars(text), wanted);
	expect_hex(seal_secret_peek(token.key), SEAL_KEY_LEN);
	cr_assert_eq(verify_channel_new(&channel, VERIFY_AT_AGENT, &token, container, agent, NULL),
		     0);
	cr_assert_eq(verify_channel_seal(channel, &frame, VERIFY_AGENT_PROOF,
					 strlen(VERIFY_AGENT_PROOF), NULL),
		     0);
	expect_hex(frame.data, frame.len);
	verify_channel_free(channel);
	seal_bytes_release(&frame);
	verify_token_release(&token);
	seal_secret_free(text);
	free(wanted);
}
