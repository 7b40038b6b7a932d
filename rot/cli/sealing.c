/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single values: sealed for their place, and opened.  The root of trust does both; no key comes here.
 */

#include <stdio.h>
#include <string.h>

#include "config-verify/sealed.h"
#include "rot/cli/cli.h"

/* ---- seal ---- */

static int
copy_option(char *out, size_t size, const char *option, const char *value, struct seal_err *err)
{
	if (value == NULL)
		return seal_fail(err, SEAL_E_USAGE,
				 "say where the value belongs: --kind KIND --name NAME --key KEY "
				 "(--%s is missing)",
				 option);
	if (strlen(value) >= size)
		return seal_fail(err, SEAL_E_LIMIT, "--%s has at most %zu letters", option,
				 size - 1);
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

/* The root of trust checks it again; here a slip is answered before anything is read. */
static int
read_place(const struct cli *cli, struct verify_binding *place, struct seal_err *err)
{
	const struct cli_options *opt = &cli->opt;
	int r;

	*place = (struct verify_binding){ .gen = 1, .of = 1 };
	r = copy_option(place->ns, sizeof(place->ns), "namespace",
			opt->ns != NULL ? opt->ns : "default", err);
	if (r == 0)
		r = copy_option(place->kind, sizeof(place->kind), "kind", opt->kind, err);
	if (r == 0)
		r = copy_option(place->name, sizeof(place->name), "name", opt->name, err);
	if (r == 0)
		r = copy_option(place->key, sizeof(place->key), "key", opt->key, err);
	if (r == 0 && opt->container != NULL)
		r = copy_option(place->container, sizeof(place->container), "container",
				opt->container, err);
	if (r == 0)
		r = verify_binding_check(place, err);
	return r;
}

/* Bytes are sent as bytes: what they mean is nobody's business on the way. */
static int
make_request(const struct cli *cli, const struct verify_binding *place,
	     const struct seal_bytes *plain, struct seal_json **ret_request, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes data = SEAL_BYTES(ROT_MAX_SEAL_BODY);
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	struct seal_json *object, *value;
	int r;

	r = seal_base64url_encode(&data, plain->data, plain->len, err);
	if (r < 0)
		return r;
	request = seal_json_new();
	seal_json_set_str(request, "workload", cli->args[0]);
	if (cli->opt.peer != NULL)
		seal_json_set_str(request, "peer", cli->opt.peer);
	object = seal_json_add_object(seal_json_set_array(request, "objects"));
	seal_json_set_str(object, "ns", place->ns);
	seal_json_set_str(object, "kind", place->kind);
	seal_json_set_str(object, "name", place->name);
	value = seal_json_add_object(seal_json_set_array(object, "values"));
	seal_json_set_str(value, "key", place->key);
	if (place->container[0] != '\0')
		seal_json_set_str(value, "container", place->container);
	seal_json_set_str(value, "data", seal_bytes_str(&data));
	*ret_request = SEAL_TAKE(request);
	return 0;
}

/* The one object of an array, in an answer. */
static int
only_object(const struct seal_json *from, const char *name, const struct seal_json **ret_object,
	    struct seal_err *err)
{
	const struct seal_json *array = NULL;
	int r;

	r = seal_json_get_array(from, name, &array, err);
	if (r < 0)
		return r;
	if (seal_json_count(array) != 1 ||
	    seal_json_kind(seal_json_at(array, 0)) != SEAL_JSON_OBJECT)
		return seal_fail(err, SEAL_E_FORMAT,
				 "the root of trust did not answer with one of '%s'", name);
	*ret_object = seal_json_at(array, 0);
	return 0;
}

static int
print_line(const char *text, struct seal_err *err)
{
	int r = cli_write_out(text, strlen(text), err);

	return r < 0 ? r : cli_write_out("\n", 1, err);
}

static int
show_sealed(const struct cli *cli, const struct seal_json *reply, struct seal_err *err)
{
	static const char *const of_object[] = { "ns", "kind", "name", "gen", NULL };
	static const char *const of_value[] = { "key", "container", "sealed", NULL };
	SEAL_SCOPED(seal_json_freep) struct seal_json *json = NULL;
	const struct seal_json *object = NULL, *value = NULL;
	const char *sealed = NULL;
	int r;

	r = only_object(reply, "objects", &object, err);
	if (r == 0)
		r = only_object(object, "values", &value, err);
	if (r == 0)
		r = seal_json_get_str(value, "sealed", &sealed, err);
	if (r < 0)
		return seal_note(err, r, "the answer of the root of trust");
	if (cli->format == CLI_TABLE)
		return print_line(sealed, err);
	json = seal_json_new();
	cli_copy_members(json, object, of_object);
	cli_copy_members(json, value, of_value);
	return cli_print(cli, json, NULL, 0, err);
}

int
cli_seal(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes plain = SEAL_BYTES(VERIFY_PLAIN_MAX);
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	struct verify_binding place;
	int r;

	r = cli_check_subject(cli, false, err);
	if (r == 0)
		r = read_place(cli, &place, err);
	if (r == 0)
		r = cli_read_input(&plain, cli->arg_count > 1 ? cli->args[1] : NULL, err);
	if (r == 0)
		r = make_request(cli, &place, &plain, &request, err);
	if (r == 0)
		r = cli_call(cli, "POST", "/v1/seal", request, &reply, err);
	return r < 0 ? r : show_sealed(cli, reply, err);
}

/* ---- unseal ---- */

/* A line may stand in a file as people write them: with blanks around it. */
static void
trim(const struct seal_bytes *text, const char **ret_at, size_t *ret_len)
{
	static const char blanks[] = " \t\r\n";
	const char *at = seal_bytes_str(text);
	size_t len = strlen(at);
	size_t skip = strspn(at, blanks);

	at += skip;
	len -= skip;
	while (len > 0 && strchr(blanks, at[len - 1]) != NULL)
		len--;
	*ret_at = at;
	*ret_len = len;
}

static int
read_sealed(const struct cli *cli, struct seal_json **ret_request, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(VERIFY_SEALED_MAX + 16);
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	char *copy;
	const char *at;
	size_t len;
	int r;

	r = cli_read_input(&text, cli->arg_count > 0 ? cli->args[0] : NULL, err);
	if (r < 0)
		return r;
	trim(&text, &at, &len);
	if (!verify_is_sealed(at, len) || memchr(text.data, '\0', text.len) != NULL)
		return seal_fail(err, SEAL_E_FORMAT, "this is no sealed value");
	copy = seal_strndup(at, len);
	if (copy == NULL)
		return seal_fail_memory(err);
	request = seal_json_new();
	seal_json_add_str(seal_json_set_array(request, "values"), copy);
	free(copy);
	*ret_request = SEAL_TAKE(request);
	return 0;
}

/* Just the value, to the byte; with a format, where it belongs, too. */
static int
show_plain(const struct cli *cli, const struct seal_json *reply, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes raw = SEAL_BYTES(VERIFY_PLAIN_MAX);
	const struct seal_json *value = NULL;
	const char *text = NULL;
	bool is_text;
	int r;

	r = only_object(reply, "values", &value, err);
	if (r < 0)
		return r;
	if (cli->format != CLI_TABLE)
		return cli_print(cli, value, NULL, 0, err);
	is_text = seal_json_has(value, "text");
	r = seal_json_get_str(value, is_text ? "text" : "data", &text, err);
	if (r == 0 && is_text)
		return cli_write_out(text, strlen(text), err);
	if (r == 0)
		r = seal_base64url_decode(&raw, text, strlen(text), err);
	return r < 0 ? r : cli_write_out(seal_bytes_str(&raw), raw.len, err);
}

int
cli_unseal(struct cli *cli, struct seal_err *err)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *request = NULL;
	SEAL_SCOPED(seal_json_freep) struct seal_json *reply = NULL;
	int r;

	if (cli->opt.filenames.count > 0)
		return cli_unseal_manifests(cli, err);
	r = read_sealed(cli, &request, err);
	if (r == 0)
		r = cli_call(cli, "POST", "/v1/unseal", request, &reply, err);
	return r < 0 ? r : show_plain(cli, reply, err);
}
