/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/metrics: the text, against a golden one and against a reader stricter than any in use. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs/fs.h"
#include "tests/support/pki.h"
#include "tests/unit/proxy/sample.h"

#define SERIES_MAX 1024
#define NAME_MAX_  128

/* ---- a strict reader ---- */

struct series {
	char name[NAME_MAX_]; /* of the family */
	char id[2048];        /* the sample's name and labels */
	double value;
};

struct reader {
	const char *at;
	char family[NAME_MAX_];
	char type[NAME_MAX_];
	char seen[SERIES_MAX][NAME_MAX_]; /* families that are over */
	size_t seen_count;
	struct series *series;
	size_t count;
	const char *wrong; /* NULL: nothing */
};

static bool
wrong(struct reader *reader, const char *why)
{
	if (reader->wrong == NULL)
		reader->wrong = why;
	return false;
}

static bool
take(struct reader *reader, const char *text)
{
	size_t len = strlen(text);

	if (strncmp(reader->at, text, len) != 0)
		return false;
	reader->at += len;
	return true;
}

static bool
take_name(struct reader *reader, char out[static NAME_MAX_])
{
	size_t len = 0;

	while (islower((unsigned char)reader->at[len]) || reader->at[len] == '_' ||
	       (len > 0 && isdigit((unsigned char)reader->at[len])))
		len++;
	if (len == 0 || len >= NAME_MAX_)
		return wrong(reader, "no name");
	memcpy(out, reader->at, len);
	out[len] = '\0';
	reader->at += len;
	return true;
}

static bool
begin_family(struct reader *reader)
{
	char name[NAME_MAX_];

	if (!take_name(reader, name) || !take(reader, " "))
		return wrong(reader, "HELP without a name");
	for (size_t i = 0; i < reader->seen_count; i++) {
		if (strcmp(reader->seen[i], name) == 0)
			return wrong(reader, "a family comes twice");
	}
	memcpy(reader->family, name, sizeof(name));
	memcpy(reader->seen[reader->seen_count++], name, sizeof(name));
	if (*reader->at == '\n' || *reader->at == '\0')
		return wrong(reader, "HELP says nothing");
	while (*reader->at >= ' ' && *reader->at <= '~' && *reader->at != '\\')
		reader->at++;
	if (!take(reader, "\n# TYPE ") || !take(reader, name) || !take(reader, " "))
		return wrong(reader, "HELP without TYPE");
	return take_name(reader, reader->type) && take(reader, "\n") ? true
								     : wrong(reader, "no type");
}

static bool
take_label(struct reader *reader)
{
	char name[NAME_MAX_];

	if (!take_name(reader, name) || !take(reader, "=\""))
		return wrong(reader, "no label");
	while (*reader->at != '"') {
		unsigned char c = (unsigned char)*reader->at++;

		if (c < ' ' || c > '~')
			return wrong(reader, "a raw byte in a label");
		if (c == '\\' && strchr("\\\"n", *reader->at++) == NULL)
			return wrong(reader, "no escape of the format");
	}
	reader->at++;
	return true;
}

static bool
suffix_fits(const struct reader *reader, const char *name)
{
	size_t len = strlen(reader->family);
	const char *rest = name + len;

	if (strncmp(name, reader->family, len) != 0)
		return false;
	if (strcmp(reader->type, "histogram") == 0)
		return strcmp(rest, "_bucket") == 0 || strcmp(rest, "_sum") == 0 ||
		       strcmp(rest, "_count") == 0;
	if (strcmp(reader->type, "counter") == 0)
		return *rest == '\0' && len > 6 && strcmp(reader->family + len - 6, "_total") == 0;
	return *rest == '\0' && strcmp(reader->type, "gauge") == 0;
}

static bool
take_value(struct reader *reader, double *ret_value)
{
	char *end;

	if (!isdigit((unsigned char)*reader->at))
		return wrong(reader, "no number");
	*ret_value = strtod(reader->at, &end);
	reader->at = end;
	return take(reader, "\n") ? true : wrong(reader, "something behind the number");
}

static bool
take_sample(struct reader *reader)
{
	struct series *series = &reader->series[reader->count];
	const char *begin = reader->at;
	char name[NAME_MAX_];

	if (!take_name(reader, name))
		return false;
	if (!suffix_fits(reader, name))
		return wrong(reader, "a sample outside its family, or named against its type");
	if (take(reader, "{")) {
		do {
			if (!take_label(reader))
				return false;
		} while (take(reader, ","));
		if (!take(reader, "}"))
			return wrong(reader, "labels do not end");
	}
	(void)snprintf(series->id, sizeof(series->id), "%.*s", (int)(reader->at - begin), begin);
	memcpy(series->name, reader->family, sizeof(series->name));
	if (!take(reader, " ") || !take_value(reader, &series->value))
		return wrong(reader, "no value");
	for (size_t i = 0; i < reader->count; i++) {
		if (strcmp(reader->series[i].id, series->id) == 0)
			return wrong(reader, "a series comes twice");
	}
	reader->count++;
	return true;
}

static void
read_all(struct reader *reader, const char *text)
{
	*reader = (struct reader){ .at = text };
	reader->series = calloc(SERIES_MAX, sizeof(*reader->series));
	cr_assert_not_null(reader->series);
	while (*reader->at != '\0' && reader->wrong == NULL && reader->count < SERIES_MAX) {
		if (take(reader, "# HELP "))
			(void)begin_family(reader);
		else
			(void)take_sample(reader);
	}
}

static double
value_of(const struct reader *reader, const char *id)
{
	for (size_t i = 0; i < reader->count; i++) {
		if (strcmp(reader->series[i].id, id) == 0)
			return reader->series[i].value;
	}
	cr_assert_fail("no series %s", id);
	return -1;
}

static bool
has(const struct reader *reader, const char *id)
{
	for (size_t i = 0; i < reader->count; i++) {
		if (strcmp(reader->series[i].id, id) == 0)
			return true;
	}
	return false;
}

/* The metrics of a view, read; the text is the caller's to release. */
static void
read_view(struct reader *reader, const struct proxy_view *view, struct seal_bytes *text)
{
	struct seal_err err = { 0 };

	seal_bytes_init(text, PROXY_STATUS_MAX);
	cr_assert_eq(proxy_metrics_write(view, text, &err), 0, "%s", err.text);
	read_all(reader, seal_bytes_str(text));
	cr_assert_null(reader->wrong, "%s before: %.80s", reader->wrong, reader->at);
	cr_assert_eq(*reader->at, '\0');
}

/* ---- tests ---- */

Test(metrics_reader, refuses_what_is_not_the_format)
{
#define X "# HELP x_total x\n# TYPE x_total counter\n"
	static const char *const bad[] = {
		"x_total 1\n",
		X "x_total 1",
		X "x_total one\n",
		X "x_total -1\n",
		X "x_total 1 1\n",
		X "x_total{a=\"b} 1\n",
		X "x_total{a=\"b\\c\"} 1\n",
		X "x_total{a=\"\xc3\xa9\"} 1\n",
		X "x_total{a=\"b\nc\"} 1\n",
		X "x_total{a=b} 1\n",
		X "x_total{} 1\n",
		X "x_total{a=\"b\"}\n",
		X "x_total 1\nx_total 1\n",
		X "y_total 1\n",
		X "x_total_sum 1\n",
		X "x_total 1\n\n",
		X "x_total 1\n" X,
		X "x_total 1\n# HELP y y\n# TYPE y gauge\ny 1\nx_total{a=\"b\"} 1\n",
		"# HELP x x\n# TYPE x counter\nx 1\n",
		"# HELP x x\nx 1\n",
		"# HELP x \n# TYPE x gauge\nx 1\n",
		"# TYPE x gauge\nx 1\n",
		"# HELP x x\n# TYPE y gauge\nx 1\n",
		"# HELP x x\n# TYPE x histogram\nx 1\n",
	};
#undef X

	for (size_t i = 0; i < SEAL_COUNT(bad); i++) {
		struct reader *reader = calloc(1, sizeof(*reader));

		read_all(reader, bad[i]);
		cr_expect_not_null(reader->wrong, "row %zu was read", i);
		free(reader->series);
		free(reader);
	}
}

static const char golden[] =
#include "tests/unit/proxy/metrics_golden.inc"
	;

/* Without the buckets, whose bounds are conn.c's: another test looks at them. */
static char *
without_buckets(const char *text)
{
	char *out = calloc(1, strlen(text) + 1);
	char *to = out;

	cr_assert_not_null(out);
	while (*text != '\0') {
		size_t len = strcspn(text, "\n") + 1;

		if (strncmp(text, "seal_handshake_seconds_bucket", 29) != 0)
			to = mempcpy(to, text, len);
		text += len;
	}
	return out;
}

Test(metrics, say_what_the_manual_promises)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_STATUS_MAX);
	struct proxy_view view;
	struct seal_err err = { 0 };
	char *got;

	sample_small(&view);
	cr_assert_eq(proxy_metrics_write(&view, &text, &err), 0, "%s", err.text);
	got = without_buckets(seal_bytes_str(&text));
	cr_expect_str_eq(got, golden, "got:\n%s", got);
	free(got);
	proxy_view_release(&view);
}

Test(metrics, are_read_by_a_strict_reader_whatever_addresses_look_like)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;

	sample_large(&view);
	read_view(&reader, &view, &text);
	cr_expect_eq(value_of(&reader, "seal_accept_total{listener=\"unix:/run/a \\\"b\\\"\\\\c/"
				       "\\\\xc3\\\\xa9\\\\xff.sock\",direction=\"outbound\"}"),
		     0);
	cr_expect_eq(
		value_of(&reader, "seal_accept_total{listener=\"[::]:443\",direction=\"public\"}"),
		0);
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, of_the_agent_are_there_with_one_only)
{
	static const struct {
		const char *series;
		uint64_t value;
	} rows[] = {
		{ "seal_agent_connections", 3 },
		{ "seal_agent_connections_total{result=\"limited\"}", 13 },
		{ "seal_agent_connections_total{result=\"refused\"}", 12 },
		{ "seal_agent_connections_total{result=\"served\"}", 11 },
		{ "seal_unseal_total{result=\"opened\"}", 14 },
		{ "seal_unseal_total{result=\"refused\"}", 15 },
		{ "seal_sealed_config_generation", 7 },
		{ "seal_suspended", 1 },
		{ "seal_suspicions_total{container=\"app\"}", 2 },
		{ "seal_suspicions_total{container=\"db\"}", 1 },
	};
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes without = SEAL_BYTES(PROXY_STATUS_MAX);
	static struct reader reader;
	struct proxy_view view;

	sample_small(&view);
	cr_assert_eq(proxy_metrics_write(&view, &without, NULL), 0);
	view.agent = &sample_agent;
	read_view(&reader, &view, &text);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++)
		cr_expect_eq(value_of(&reader, rows[i].series), rows[i].value, "%s",
			     rows[i].series);
	cr_expect_null(strstr(seal_bytes_str(&without), "seal_agent"));
	cr_expect_null(strstr(seal_bytes_str(&without), "seal_unseal"));
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, of_news_are_there_where_somebody_asks_only)
{
	static const struct {
		const char *series;
		uint64_t value;
	} rows[] = {
		{ "seal_sync_total{result=\"changed\"}", 4 },
		{ "seal_sync_total{result=\"unchanged\"}", 50 },
		{ "seal_sync_total{result=\"refused\"}", 1 },
		{ "seal_sync_total{result=\"absent\"}", 2 },
		{ "seal_sync_total{result=\"failed\"}", 3 },
		{ "seal_sync_age_seconds", 61 },
		{ "seal_sync_epoch", 17 },
		{ "seal_revoked_serials", 2 },
	};
	SEAL_SCOPED(seal_strv_release) struct seal_strv revoked = pki_strv("1", "2", NULL);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes without = SEAL_BYTES(PROXY_STATUS_MAX);
	static struct reader reader;
	struct proxy_identity_state state;
	struct proxy_view view;

	sample_small(&view);
	cr_assert_eq(proxy_metrics_write(&view, &without, NULL), 0);
	cr_expect_null(strstr(seal_bytes_str(&without), "seal_sync"));
	cr_expect_null(strstr(seal_bytes_str(&without), "seal_revoked"));
	view.news = &sample_news;
	memcpy(&state, view.state, sizeof(state));
	state.revoked = revoked;
	view.state = &state;
	read_view(&reader, &view, &text);
	for (size_t i = 0; i < SEAL_COUNT(rows); i++)
		cr_expect_eq(value_of(&reader, rows[i].series), rows[i].value, "%s",
			     rows[i].series);
	cr_expect_null(strstr(seal_bytes_str(&text), "aborted"), "nobody can do anything about it");
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, are_those_of_the_manual)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes page = SEAL_BYTES(256u * 1024);
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	static struct reader reader;
	struct proxy_view view;
	size_t described = 0;

	cr_assert_eq(seal_fs_read(&page, AT_FDCWD, SEAL_SOURCE_DIR "/docs/man/seal-proxy-status.8",
				  page.max, NULL),
		     0);
	sample_small(&view);
	view.agent = &sample_agent;
	view.news = &sample_news;
	read_view(&reader, &view, &text);
	for (size_t i = 0; i < reader.seen_count; i++) {
		char item[NAME_MAX_ + 16];

		(void)snprintf(item, sizeof(item), "\n.It Li %s\n", reader.seen[i]);
		cr_expect_not_null(strstr(seal_bytes_str(&page), item), "no %s in the manual",
				   reader.seen[i]);
	}
	for (const char *at = strstr(seal_bytes_str(&page), "\n.Sh METRICS\n");
	     (at = strstr(at + 1, "\n.It Li ")) != NULL;)
		described++;
	cr_expect_eq(described, reader.seen_count, "the manual has others");
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, name_nothing_that_a_peer_chose)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;

	sample_large(&view);
	read_view(&reader, &view, &text);
	cr_expect_null(strstr(seal_bytes_str(&text), "evil"));
	cr_expect_null(strstr(seal_bytes_str(&text), "10.0.0.7"));
	cr_expect_null(strstr(seal_bytes_str(&text), "\"web\""));
	proxy_view_release(&view);
	free(reader.series);
}

#define INBOUND "{listener=\"0.0.0.0:8443\",direction=\"inbound\""

Test(metrics, count_handshakes_up_to_each_bound)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;
	double last = 0;
	size_t buckets = 0;

	sample_small(&view);
	read_view(&reader, &view, &text);
	for (size_t i = 0; i < reader.count; i++) {
		if (strncmp(reader.series[i].id, "seal_handshake_seconds_bucket", 29) != 0)
			continue;
		cr_expect_geq(reader.series[i].value, last);
		last = reader.series[i].value;
		buckets++;
	}
	cr_expect_eq(buckets, PROXY_HANDSHAKE_BUCKETS);
	cr_expect_eq(last, 7);
	cr_expect_eq(value_of(&reader, "seal_handshake_seconds_count" INBOUND "}"), 7);
	cr_expect_eq(value_of(&reader, "seal_handshake_seconds_bucket" INBOUND ",le=\"+Inf\"}"), 7);
	cr_expect_float_eq(value_of(&reader, "seal_handshake_seconds_sum" INBOUND "}"), 1.234567,
			   1e-9);
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, give_a_target_named_twice_one_series)
{
#define TARGETS "{listener=\"unix:/run/a \\\"b\\\"\\\\c/\\\\xc3\\\\xa9\\\\xff.sock\",target="
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;

	sample_large(&view);
	read_view(&reader, &view, &text);
	cr_expect_eq(value_of(&reader, "seal_target_connections" TARGETS "\"db.shop.svc:8443\"}"),
		     4);
	cr_expect_eq(
		value_of(&reader, "seal_target_failures_total" TARGETS "\"db.shop.svc:8443\"}"), 7);
	cr_expect_eq(value_of(&reader, "seal_target_up" TARGETS "\"db.shop.svc:8443\"}"), 1);
	cr_expect_eq(value_of(&reader, "seal_target_up" TARGETS "\"[fd00::1]:8443\"}"), 1);
	proxy_view_release(&view);
	free(reader.series);
#undef TARGETS
}

static double
expiry_at(struct proxy_view *view, int64_t now)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	double value;

	view->now = now;
	read_view(&reader, view, &text);
	value = value_of(&reader, "seal_cert_expiry_seconds");
	free(reader.series);
	return value;
}

Test(metrics, leave_no_time_to_a_certificate_that_is_over_or_cannot_be_judged)
{
	struct proxy_view view;

	sample_small(&view);
	cr_expect_eq(expiry_at(&view, SAMPLE_NOW), 5 * 3600 + 600);
	cr_expect_eq(expiry_at(&view, SAMPLE_NOW + 5 * 3600 + 599), 1);
	cr_expect_eq(expiry_at(&view, SAMPLE_NOW + 5 * 3600 + 600), 0);
	cr_expect_eq(expiry_at(&view, SAMPLE_NOW + 86400), 0);
	cr_expect_eq(expiry_at(&view, 0), 0, "the clock cannot be read");
	view.state = NULL;
	cr_expect_eq(expiry_at(&view, SAMPLE_NOW), 0);
	proxy_view_release(&view);
}

Test(metrics, leave_out_what_the_kernel_does_not_say)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;

	sample_small(&view);
	view.usage = (struct seal_usage){ 0 };
	view.started = 0;
	read_view(&reader, &view, &text);
	cr_expect(has(&reader, "process_cpu_seconds_total"));
	cr_expect_not(has(&reader, "process_open_fds"));
	cr_expect_not(has(&reader, "process_resident_memory_bytes"));
	cr_expect_not(has(&reader, "process_start_time_seconds"));
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, count_connections_of_listeners_that_are_gone)
{
	static struct reader reader;
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = { 0 };
	struct proxy_view view;

	sample_small(&view);
	view.totals.open = 5;
	view.is_draining = true;
	view.is_ready = false;
	read_view(&reader, &view, &text);
	cr_expect_eq(value_of(&reader, "seal_removed_listener_connections"), 3);
	cr_expect_eq(value_of(&reader, "seal_draining"), 1);
	cr_expect_eq(value_of(&reader, "seal_ready"), 0);
	proxy_view_release(&view);
	free(reader.series);
}

Test(metrics, fail_when_there_is_no_room)
{
	struct proxy_view view;
	struct seal_err err = { 0 };

	sample_small(&view);
	for (size_t room = 1; room + 1 < sizeof(golden); room += 997) {
		SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(room);

		cr_expect_eq(proxy_metrics_write(&view, &text, &err), SEAL_E_LIMIT);
	}
	proxy_view_release(&view);
}

Test(usage, is_what_the_kernel_says)
{
	struct seal_usage_source *source = seal_usage_open();
	struct seal_usage first, second;
	FILE *file;

	seal_usage_read(source, &first);
	file = fopen("/dev/null", "r");
	cr_assert_not_null(file);
	seal_usage_read(source, &second);
	cr_expect(first.has_memory && first.has_fds);
	cr_expect_gt(first.resident_bytes, 1u << 20);
	cr_expect_geq(first.virtual_bytes, first.resident_bytes);
	cr_expect_gt(first.max_fds, first.open_fds);
	cr_expect_eq(second.open_fds, first.open_fds + 1);
	cr_expect_geq(second.cpu_us, first.cpu_us);
	(void)fclose(file);
	seal_usage_close(source);
	seal_usage_read(NULL, &first);
	cr_expect_not(first.has_memory || first.has_fds);
}
