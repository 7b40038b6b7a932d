/* SPDX-License-Identifier: Apache-2.0 */
/* The policy for Kata Containers: what a manifest says stays in its string, and nothing is let by. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rot/inject/kata.h"
#include "rot/inject/kata_internal.h"
#include "tests/unit/inject/rig.h"

#define POD(spec) "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec:\n" spec
#define ONE(rest) POD("  containers:\n  - name: app\n    image: i\n    command: [/bin/app]\n" rest)
#define RIG                                                                                        \
	SEAL_SCOPED(rig_release) struct rig rig;                                                   \
	rig_init(&rig)
#define RESULT SEAL_SCOPED(kata_result_release) struct kata_result result = { .digest = "" }
#define BYTES  SEAL_SCOPED(seal_bytes_release) struct seal_bytes

static const struct kata_options plain = { .ns = "default",
					   .proxy_path = "/usr/bin/seal-proxy",
					   .allow_host_images = true };

static int
policy_of(const struct kata_options *options, const char *text, struct kata_result *result,
	  struct seal_err *err)
{
	const struct inject_input input = { "in.yaml", text, strlen(text) };

	return inject_kata(options, &input, 1, result, err);
}

/* Of a manifest in clear that is injected first. */
static const char *
must(struct rig *rig, const char *text, struct kata_result *result)
{
	struct seal_err err = { 0 };

	cr_assert_eq(policy_of(&plain, rig_must(rig, text), result, &err), 0, "%s", err.text);
	return seal_bytes_str(&result->policy);
}

static void
expect_refused(const char *text, enum seal_code code, const char *sentence)
{
	struct seal_err err = { 0 };
	RESULT;

	cr_expect_eq(policy_of(&plain, text, &result, &err), code, "%s", err.text);
	cr_expect_not_null(strstr(err.text, sentence), "'%s' is not in: %s", sentence, err.text);
	cr_expect_eq(result.policy.len, 0, "something came out");
}

/* The text with the first of one thing replaced, for the caller to free. */
static char *
replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *made = NULL;

	cr_assert_not_null(at, "no '%s' in: %s", from, text);
	cr_assert_gt(asprintf(&made, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)), 0);
	return made;
}

/* ---- Strings ---- */

Test(kata_rego, nothing_leaves_its_string)
{
	static const struct {
		const char *text;
		const char *written;
	} rows[] = {
		{ "", "\"\"" },
		{ "/usr/bin/seal-wrap", "\"/usr/bin/seal-wrap\"" },
		{ "a=b,c:d@e+f g_h.i-j", "\"a=b,c:d@e+f g_h.i-j\"" },
		{ "\"", "\"\\u0022\"" },
		{ "\\", "\"\\u005c\"" },
		{ "\\u0022", "\"\\u005cu0022\"" },
		{ "'''", "\"\\u0027\\u0027\\u0027\"" },
		{ "`", "\"\\u0060\"" },
		{ "{{ x }}", "\"\\u007b\\u007b x \\u007d\\u007d\"" },
		{ "${x}$(x)", "\"\\u0024\\u007bx\\u007d\\u0024\\u0028x\\u0029\"" },
		{ "a\nb\tc\rd", "\"a\\u000ab\\u0009c\\u000dd\"" },
		{ "#;%<>&|!", "\"\\u0023\\u003b\\u0025\\u003c\\u003e\\u0026\\u007c\\u0021\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
		{ "\u00e9", "\"\\u00e9\"" },
		{ "\u2028\u202e", "\"\\u2028\\u202e\"" },
		{ "\U0001f600", "\"\\ud83d\\ude00\"" },
		/* What is no UTF-8 is not passed on, and takes nothing along. */
		{ "\xff", "\"\\ufffd\"" },
		{ "\xc3", "\"\\ufffd\"" },
		{ "\xc3\"", "\"\\ufffd\\u0022\"" },
		{ "\xe2\x80\"x", "\"\\ufffd\\ufffd\\u0022x\"" },
		{ "\xf0\x9f\x98", "\"\\ufffd\\ufffd\\ufffd\"" },
	};

	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		BYTES out = SEAL_BYTES(4096);

		cr_assert_eq(kata_rego_string(&out, rows[i].text, NULL), 0);
		cr_expect_str_eq(seal_bytes_str(&out), rows[i].written, "row %zu: %s", i,
				 seal_bytes_str(&out));
	}
}

Test(kata_rego, every_byte_is_a_letter_that_means_nothing_or_escaped)
{
	for (unsigned byte = 1; byte < 256; byte++) {
		const char text[] = { (char)byte, 'x', '\0' };
		BYTES out = SEAL_BYTES(64);
		size_t len;

		cr_assert_eq(kata_rego_string(&out, text, NULL), 0);
		len = out.len;
		cr_expect_eq(out.data[0], '"');
		cr_expect_eq(out.data[len - 1], '"');
		out.data[len - 1] = '\0';
		cr_expect_eq(strspn((const char *)out.data + 1,
				    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    " +,-./:=@_\\"),
			     len - 2, "byte %u", byte);
	}
}

Test(kata_rego, hostile_names_of_a_manifest_are_data)
{
	char *text;
	const char *policy;
	RESULT;
	RIG;

	text = replaced(rig_must(&rig, ONE("    volumeMounts: [{name: v, mountPath: /data}]\n"
					   "  volumes: [{name: v, emptyDir: {}}]\n")),
			"mountPath: /data",
			"mountPath: \"/a\\\"]}\\ndefault ExecProcessRequest := true\\n''' {{ .x }} "
			"`\"");
	cr_assert_eq(policy_of(&plain, text, &result, &rig.err), 0, "%s", rig.err.text);
	policy = seal_bytes_str(&result.policy);
	cr_expect_not_null(
		strstr(policy, "/a\\u0022\\u005d\\u007d\\u000adefault ExecProcessRequest"));
	cr_expect_null(strstr(policy, "\ndefault ExecProcessRequest := true"));
	cr_expect_null(strchr(policy, '\''));
	cr_expect_null(strstr(policy, "{{"));
	free(text);
}

/* ---- What is in it ---- */

Test(kata, allows_the_words_of_the_manifest_and_no_others)
{
	SEAL_SCOPED(seal_json_freep) struct seal_json *output = NULL;
	BYTES words = SEAL_BYTES(1u << 20);
	const char *policy;
	RESULT;
	RIG;

	policy = must(&rig,
		      POD("  containers:\n  - name: app\n    image: r/i:1@sha256:0123\n"
			  "    command: [/bin/app]\n    securityContext: {runAsUser: 7}\n"
			  "    readinessProbe: {exec: {command: [/bin/probe]}}\n"
			  "    volumeMounts: [{name: v, mountPath: /data/}]\n"
			  "  volumes: [{name: v, emptyDir: {}}]\n"),
		      &result);
	output = rig_json(seal_bytes_str(&rig.out), rig.out.len);
	cr_assert_eq(seal_bytes_append_fmt(
			     &words, NULL, "\"args\": [\n\t\t\t\t\"/seal-wrap\",\n\t\t\t\t\"%s\"\n",
			     seal_json_str(rig_at(output, "0.spec.containers.0.command.1"))),
		     0);
	cr_expect_not_null(strstr(policy, seal_bytes_str(&words)));
	seal_bytes_reset(&words);
	cr_assert_eq(
		seal_bytes_append_fmt(
			&words, NULL,
			"\"execs\": [\n\t\t[\n\t\t\t\"/seal-wrap\",\n\t\t\t\"%s\"\n\t\t]\n\t],",
			seal_json_str(rig_at(output,
					     "0.spec.containers.0.readinessProbe.exec.command.1"))),
		0);
	cr_expect_not_null(strstr(policy, seal_bytes_str(&words)));
	cr_expect_not_null(strstr(policy, "\"/usr/bin/seal-proxy\",\n\t\t\t\t\"--sealed-config\""));
	cr_expect_not_null(strstr(policy, "\"digest\": \"@sha256:0123\""));
	cr_expect_not_null(strstr(policy, "\"user\": 7\n"));
	cr_expect_not_null(strstr(policy, "\"/data\""));
	cr_expect_not_null(strstr(policy, "\"shared_pids\": false"));
	cr_expect_not_null(strstr(policy, "\"guest_pull\": false"));
	cr_expect_not_null(strstr(policy, "\"devices\": []"));
	cr_expect_null(strstr(policy, "\"shares_root\""));
	cr_expect_str_eq(result.object, "shop/Pod/p");
}

Test(kata, knows_the_kernel_parameters_of_the_manifest_and_of_runtimes_alone)
{
	const char *policy;
	RESULT;
	RIG;

	policy = must(&rig,
		      ONE("  securityContext:\n    sysctls:\n"
			  "    - {name: net.ipv4.tcp_syncookies, value: \"1\"}\n"
			  "    - {name: net.ipv4.ip_unprivileged_port_start, value: \"80\"}\n"),
		      &result);
	cr_expect_not_null(strstr(policy, "\"sysctls\": {\n"
					  "\t\t\"net.ipv4.ip_unprivileged_port_start\": \"80\",\n"
					  "\t\t\"net.ipv4.ping_group_range\": \"0 2147483647\",\n"
					  "\t\t\"net.ipv4.tcp_syncookies\": \"1\"\n\t}"));
}

Test(kata, knows_devices_and_shared_mounts_of_the_manifest)
{
	const char *policy;
	RESULT;
	RIG;

	policy = must(&rig,
		      ONE("    volumeDevices: [{name: d, devicePath: /dev/one}]\n"
			  "    volumeMounts: [{name: v, mountPath: /data, mountPropagation: "
			  "Bidirectional}]\n"
			  "  volumes: [{name: d, persistentVolumeClaim: {claimName: d}}, {name: v, "
			  "hostPath: {path: /x}}]\n"),
		      &result);
	cr_expect_not_null(strstr(policy, "\"devices\": [\n\t\t\t\t\"/dev/one\"\n\t\t\t]"));
	cr_expect_not_null(strstr(policy, "\"shares_root\": true"));
}

#define DIGEST_15 "0123456789abcde0123456789abcde0123456789abcde0123456789abcde012"

Test(kata, pulls_images_by_digest_unless_the_owner_takes_the_hosts)
{
	static const struct {
		const char *image;
		int r;
	} rows[] = {
		{ "i@sha256:" DIGEST_15 "f", 0 },
		{ "r.example:5000/i:1@sha256:" DIGEST_15 "f", 0 },
		{ "i", SEAL_E_REFUSED },
		{ "i:1", SEAL_E_REFUSED },
		{ "i@sha256:", SEAL_E_REFUSED },
		{ "i@sha256:" DIGEST_15, SEAL_E_REFUSED },
		{ "i@sha256:" DIGEST_15 "ff", SEAL_E_REFUSED },
		{ "i@sha256:" DIGEST_15 "F", SEAL_E_REFUSED },
		{ "i@sha256:" DIGEST_15 "g", SEAL_E_REFUSED },
		{ "i@sha512:" DIGEST_15 "f", SEAL_E_REFUSED },
		{ "i@sha256:" DIGEST_15 "f@sha256:" DIGEST_15 "f", SEAL_E_REFUSED },
	};
	struct kata_options options = plain;

	options.allow_host_images = false;
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		struct seal_err err = { 0 };
		char *image = NULL;
		char *text;
		RESULT;
		RIG;

		rig.options.proxy_image = "seal-proxy@sha256:" DIGEST_15 "f";
		(void)rig_must(&rig, ONE(""));
		cr_assert_gt(asprintf(&image, "image: '%s'\n", rows[i].image), 0);
		text = replaced(seal_bytes_str(&rig.out), "image: i\n", image);
		cr_expect_eq(policy_of(&options, text, &result, &err), rows[i].r, "%s: %s",
			     rows[i].image, err.text);
		if (rows[i].r == 0)
			cr_expect_not_null(
				strstr(seal_bytes_str(&result.policy), "\"guest_pull\": true"));
		else
			cr_expect_not_null(strstr(err.text, "container 'app'"), "%s", err.text);
		free(image);
		free(text);
	}
}

Test(kata, says_the_same_each_time)
{
	SEAL_SCOPED(kata_result_release) struct kata_result again = { .digest = "" };
	RESULT;
	RIG;

	(void)must(&rig, ONE(""), &result);
	cr_assert_eq(policy_of(&plain, seal_bytes_str(&rig.out), &again, NULL), 0);
	cr_expect_str_eq(seal_bytes_str(&result.policy), seal_bytes_str(&again.policy));
	cr_expect_str_eq(seal_bytes_str(&result.annotation), seal_bytes_str(&again.annotation));
	cr_expect_str_eq(result.digest, again.digest);
	cr_expect_eq(strlen(result.digest), 64);
}

Test(kata, lets_logs_out_when_told_to)
{
	struct kata_options options = plain;
	RESULT;
	RIG;

	cr_expect_not_null(
		strstr(must(&rig, ONE(""), &result), "default ReadStreamRequest := false\n"));
	kata_result_release(&result);
	options.allow_logs = true;
	cr_assert_eq(policy_of(&options, seal_bytes_str(&rig.out), &result, NULL), 0);
	cr_expect_not_null(
		strstr(seal_bytes_str(&result.policy), "default ReadStreamRequest := true\n"));
	cr_expect_not_null(
		strstr(seal_bytes_str(&result.policy), "default WriteStreamRequest := false\n"));
}

/* ---- What is refused ---- */

Test(kata, refuses_what_was_not_injected_by_its_name)
{
	static const struct {
		const char *from;
		const char *to;
		enum seal_code code;
		const char *sentence;
	} rows[] = {
		{ "  containers:\n",
		  "  containers:\n  - {name: added, image: x, command: [/bin/sh]}\n",
		  SEAL_E_REFUSED, "container 'added' was not injected" },
		{ "  containers:\n",
		  "  ephemeralContainers:\n  - {name: debug, image: x}\n  containers:\n",
		  SEAL_E_REFUSED, "container 'debug' was not injected" },
		{ "  containers:\n", "  containers:\n  - x\n", SEAL_E_FORMAT, "must be a map" },
		{ "name: app\n", "name: other\n", SEAL_E_REFUSED,
		  "container 'other' was not injected" },
		{ "name: seal-proxy\n", "name: proxy\n", SEAL_E_REFUSED,
		  "container 'proxy' was not injected" },
		{ "--sealed-config", "--config", SEAL_E_REFUSED,
		  "container 'seal-proxy' was not injected" },
		{ "/seal-wrap", "seal-wrap", SEAL_E_REFUSED, "absolute" },
		{ "eyJ", "xyJ", SEAL_E_REFUSED, "was not injected" },
		{ "name: p\n", "name: q\n", SEAL_E_REFUSED, "sealed for another place" },
		{ "kind: Pod\n", "kind: Service\n", SEAL_E_MISSING, "no pod in the manifests" },
	};
	RIG;

	(void)rig_must(&rig, ONE(""));
	for (size_t i = 0; i < SEAL_COUNT(rows); i++) {
		char *text = replaced(seal_bytes_str(&rig.out), rows[i].from, rows[i].to);

		expect_refused(text, rows[i].code, rows[i].sentence);
		free(text);
	}
	expect_refused(ONE(""), SEAL_E_REFUSED, "container 'app' was not injected");
	expect_refused("", SEAL_E_MISSING, "no pod");
}

Test(kata, takes_one_pod_at_a_time)
{
	BYTES two = SEAL_BYTES(1u << 20);
	RIG;

	(void)rig_must(&rig, ONE(""));
	cr_assert_eq(seal_bytes_append_fmt(&two, NULL, "%s---\n%s", seal_bytes_str(&rig.out),
					   seal_bytes_str(&rig.out)),
		     0);
	expect_refused(seal_bytes_str(&two), SEAL_E_CONFLICT, "a second pod");
}

/* ---- The document ---- */

Test(kata_initdata, is_gzip_of_any_length)
{
	static const size_t lens[] = { 0, 1, 9, 65534, 65535, 65536, 131070, 200000 };

	for (size_t i = 0; i < SEAL_COUNT(lens); i++) {
		BYTES in = SEAL_BYTES(1u << 20);
		BYTES out = SEAL_BYTES(1u << 20);
		size_t at = 10;
		size_t got = 0;
		bool is_last = false;

		cr_assert_eq(seal_bytes_reserve(&in, lens[i] + 1, NULL), 0);
		for (; in.len < lens[i]; in.len++)
			in.data[in.len] = (uint8_t)(in.len * 7 + in.len / 251);
		cr_assert_eq(kata_gzip(&out, in.data, in.len, NULL), 0);
		cr_expect_arr_eq(out.data, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
		while (!is_last) {
			const uint8_t *block = out.data + at;
			size_t len = block[1] | (size_t)block[2] << 8;

			is_last = block[0] == 1;
			cr_assert(is_last || block[0] == 0);
			cr_assert_eq(len ^ 0xffff, block[3] | (size_t)block[4] << 8);
			cr_assert_leq(got + len, in.len);
			cr_expect(len == 0 || memcmp(block + 5, in.data + got, len) == 0);
			at += 5 + len;
			got += len;
		}
		cr_expect_eq(got, in.len);
		cr_expect_eq(out.len, at + 8);
		cr_expect_eq(out.data[at + 4] | (size_t)out.data[at + 5] << 8 |
				     (size_t)out.data[at + 6] << 16,
			     in.len);
	}
}

/* The check value of CRC-32 that every table of them has. */
Test(kata_initdata, has_the_checksum_of_gzip)
{
	BYTES out = SEAL_BYTES(64);

	cr_assert_eq(kata_gzip(&out, "123456789", 9, NULL), 0);
	cr_expect_arr_eq(out.data + out.len - 8, "\x26\x39\xf4\xcb", 4);
}

Test(kata_initdata, names_its_algorithm_and_has_its_digest)
{
	struct kata_options options = plain;
	RESULT;
	RIG;

	(void)rig_must(&rig, ONE(""));
	options.algorithm = KATA_SHA384;
	cr_assert_eq(policy_of(&options, seal_bytes_str(&rig.out), &result, NULL), 0);
	cr_expect_eq(strlen(result.digest), 96);
	cr_expect_not_null(strstr(seal_bytes_str(&result.initdata),
				  "version = \"0.1.0\"\nalgorithm = \"sha384\"\n\n[data]\n"
				  "\"policy.rego\" = '''\n# Written"));
	cr_expect_str_eq(seal_bytes_str(&result.initdata) + result.initdata.len - 4, "'''\n");
}
