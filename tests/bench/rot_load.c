/* SPDX-License-Identifier: Apache-2.0 */

/*
 * bench-rot-load: pods, as many as wanted, at a root of trust.  It says "ready", works when it reads "go" and prints
 * one line of JSON.  An answer that was not asked for ends it with 1.
 *
 * rate is an open loop: the schedule is fixed beforehand, and a request's time runs from when it was due, whether
 * or not there was a connection to send it on.
 */

#include <errno.h>
#include <inttypes.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "tests/bench/rot_line.h"

static const char usage[] =
	"usage: bench-rot-load MODE PORT DIR IDENTITIES PATH ARGUMENT...\n"
	"  DIR holds N.pem and N.body for each of the IDENTITIES, from 0, and pod.key\n"
	"  closed … COUNT CONNECTIONS kept|fresh           each asks again when it was answered\n"
	"  rate … PER-SECOND CONNECTIONS SECONDS kept|fresh\n"
	"  hold … PODS ROUNDS                              PATH hatches; then each pod waits for "
	"news";

#define MAX_CONNECTIONS 100000u
#define OPENING         8u /* handshakes under way at a time: pods do not all begin at once */
#define HATCHING        16u
#define PEM_MAX         16384u

struct job {
	struct fleet fleet;
	struct identity *who;
	size_t who_count;
	const char *path;
	bool fresh;
	uint64_t wanted;
	uint64_t asked;
	uint64_t answered;
	uint64_t *times; /* of each answer */
	/* rate's */
	uint64_t start_ns;
	uint64_t per_second;
	struct line **idle;
	size_t idle_count;
	/* hold's */
	X509 **certs;
	uint64_t epoch;
	uint64_t first_ns;
	uint64_t empty; /* answers that had no news */
};

static struct job job;

static void
wait_for_go(void)
{
	char text[64];

	puts("ready");
	(void)fflush(stdout);
	if (fgets(text, sizeof(text), stdin) == NULL)
		exit(1);
}

static void
expect(const struct line *line, unsigned status)
{
	if (line->status != status)
		die("%s: %u: %.200s", job.path, line->status, line_answer(line));
}

static void
ask(struct line *line)
{
	job.asked++;
	line_ask(line, "POST", job.path, line->who->body, line->who->body_len);
}

static void
rest(struct line *line)
{
	(void)line;
}

static void
open_lines(size_t count, size_t at_once)
{
	size_t i = 0;

	while (i < count || job.fleet.opening > 0) {
		while (i < count && job.fleet.opening < at_once)
			line_open(&job.fleet.lines[i++]);
		fleet_turn(&job.fleet, -1);
	}
}

static void
set_identities(void)
{
	for (size_t i = 0; i < job.fleet.count; i++)
		job.fleet.lines[i].who = &job.who[i % job.who_count];
}

/* ---- A closed loop ---- */

static void
closed_next(struct line *line)
{
	if (job.asked < job.wanted)
		ask(line);
}

static void
closed_answer(struct line *line)
{
	expect(line, 200);
	job.times[job.answered++] = now_ns() - line->due_ns;
	line->due_ns = now_ns();
	if (!job.fresh) {
		closed_next(line);
		return;
	}
	line_close(line);
	if (job.asked + job.fleet.opening < job.wanted)
		line_open(line);
}

static void
begin_closed(void)
{
	job.fleet.on_open = closed_next;
	job.fleet.on_answer = closed_answer;
	for (size_t i = 0; i < job.fleet.count; i++) {
		struct line *line = &job.fleet.lines[i];

		line->due_ns = now_ns();
		if (job.fresh && i < job.wanted)
			line_open(line);
		if (job.fresh)
			continue;
		closed_next(line);
		line_go(line);
	}
}

/* ---- An open loop ---- */

static uint64_t
due_ns(uint64_t request)
{
	return job.start_ns + request * 1000000000u / job.per_second;
}

/* What is due goes out on whatever line is free, in the order it became due. */
static void
rate_send(void)
{
	while (job.idle_count > 0 && job.asked < job.wanted && due_ns(job.asked) <= now_ns()) {
		struct line *line = job.idle[--job.idle_count];

		line->due_ns = due_ns(job.asked);
		if (job.fresh) {
			job.asked++;
			line_open(line);
			continue;
		}
		ask(line);
		line_go(line);
	}
}

static void
rate_open(struct line *line)
{
	line_ask(line, "POST", job.path, line->who->body, line->who->body_len);
}

static void
rate_answer(struct line *line)
{
	expect(line, 200);
	job.times[job.answered++] = now_ns() - line->due_ns;
	job.idle[job.idle_count++] = line;
	if (job.fresh)
		line_close(line);
}

static void
set_alarm(int timer)
{
	uint64_t at = due_ns(job.asked);
	struct itimerspec when = { 0 };

	when.it_value.tv_sec = (time_t)(at / 1000000000u);
	when.it_value.tv_nsec = (long)(at % 1000000000u);
	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) < 0)
		die("timer: %m");
}

static void
run_rate(void)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (timer < 0 || epoll_ctl(job.fleet.epoll, EPOLL_CTL_ADD, timer, &event) < 0 ||
	    prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul) < 0)
		die("timer: %m");
	job.fleet.on_open = rate_open;
	job.fleet.on_answer = rate_answer;
	for (size_t i = 0; i < job.fleet.count; i++)
		job.idle[job.idle_count++] = &job.fleet.lines[i];
	job.start_ns = now_ns() + 1000000u;
	while (job.answered < job.wanted) {
		if (job.asked < job.wanted)
			set_alarm(timer);
		fleet_turn(&job.fleet, -1);
		rate_send();
	}
	(void)close(timer);
}

/* ---- Pods that wait for news ---- */

static uint64_t
number_in(const char *body, const char *member)
{
	const char *at = strstr(body, member);

	if (at == NULL)
		die("no %s in %.200s", member, body);
	return strtoull(at + strlen(member), NULL, 10);
}

/* The certificate in credentials. */
static X509 *
cert_in(const char *body)
{
	static const char member[] = "\"certificate\":\"";
	const char *at = strstr(body, member);
	char pem[PEM_MAX];
	size_t len = 0;
	X509 *cert;
	BIO *bio;

	if (at == NULL)
		die("no certificate in %.200s", body);
	for (at += strlen(member); *at != '\0' && *at != '"' && len < sizeof(pem); at++) {
		if (at[0] == '\\' && at[1] == 'n') {
			pem[len++] = '\n';
			at++;
		} else {
			pem[len++] = *at;
		}
	}
	bio = BIO_new_mem_buf(pem, (int)len);
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	if (cert == NULL)
		die("the certificate cannot be read");
	return cert;
}

static void
hatched(struct line *line)
{
	expect(line, 200);
	job.certs[job.answered++] = cert_in(line_answer(line));
	job.epoch = number_in(line_answer(line), "\"epoch\":");
	if (job.asked < job.wanted)
		ask(line);
}

static void
hatch_all(void)
{
	size_t at_once = job.wanted < HATCHING ? job.wanted : HATCHING;

	job.fleet.on_open = ask;
	job.fleet.on_answer = hatched;
	for (size_t i = 0; i < at_once; i++)
		line_open(&job.fleet.lines[i]);
	while (job.answered < job.wanted)
		fleet_turn(&job.fleet, -1);
	for (size_t i = 0; i < at_once; i++)
		line_close(&job.fleet.lines[i]);
}

/* DIR/pod.key: of all pods, as they have all sent the same request. */
static EVP_PKEY *
read_key(const char *dir)
{
	char path[4096];
	EVP_PKEY *key = NULL;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/pod.key", dir);
	file = fopen(path, "re");
	if (file != NULL) {
		key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		(void)fclose(file);
	}
	if (key == NULL)
		die("%s: no key", path);
	return key;
}

static void
poll_again(struct line *line)
{
	char path[64];

	line_forget(line);
	(void)snprintf(path, sizeof(path), "/v1/sync?epoch=%" PRIu64, line->epoch);
	line_ask(line, "GET", path, NULL, 0);
}

/* Answered with nothing new after 55 seconds, or with news. */
static void
told(struct line *line)
{
	if (line->status == 204) {
		job.empty++;
		poll_again(line);
		return;
	}
	expect(line, 200);
	if (job.answered == 0)
		job.first_ns = now_ns();
	job.answered++;
	line->epoch = number_in(line_answer(line), "\"epoch\":");
	poll_again(line);
}

static void
run_hold(const char *dir, uint64_t rounds)
{
	EVP_PKEY *key = read_key(dir);

	job.certs = calloc(job.wanted, sizeof(X509 *));
	if (job.certs == NULL)
		die("no memory for %" PRIu64 " pods", job.wanted);
	hatch_all();
	for (size_t i = 0; i < job.wanted; i++) {
		job.fleet.lines[i].cert = job.certs[i];
		job.fleet.lines[i].key = key;
		job.fleet.lines[i].epoch = job.epoch;
	}
	job.answered = 0;
	job.fleet.on_open = poll_again;
	job.fleet.on_answer = told;
	open_lines(job.wanted, OPENING);
	for (uint64_t i = 0; i < rounds; i++) {
		uint64_t begin;

		/* Let those that were just answered ask again: nobody may miss the change for being slow. */
		for (begin = now_ns(); now_ns() < begin + 500000000u;)
			fleet_turn(&job.fleet, 50);
		wait_for_go();
		job.answered = 0;
		while (job.answered < job.wanted)
			fleet_turn(&job.fleet, -1);
		printf("{\"count\":%" PRIu64 ",\"first_ns\":%" PRIu64 ",\"last_ns\":%" PRIu64
		       ",\"empty\":%" PRIu64 "}\n",
		       job.answered, job.first_ns, now_ns(), job.empty);
		(void)fflush(stdout);
	}
}

/* ---- What is said ---- */

static int
ascending(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* The n-th thousandth, rounded up. */
static uint64_t
quantile(uint64_t thousandths)
{
	return job.times[(job.answered * thousandths + 999) / 1000 - 1];
}

static void
report(uint64_t begin)
{
	uint64_t ns = now_ns() - begin;

	qsort(job.times, job.answered, sizeof(*job.times), ascending);
	printf("{\"count\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"p50_ns\":%" PRIu64
	       ",\"p99_ns\":%" PRIu64 ",\"p999_ns\":%" PRIu64 ",\"max_ns\":%" PRIu64 "}\n",
	       job.answered, ns, quantile(500), quantile(990), quantile(999), quantile(1000));
	(void)fflush(stdout);
}

static bool
is_fresh(const char *word)
{
	if (strcmp(word, "kept") != 0 && strcmp(word, "fresh") != 0)
		die("%s", usage);
	return strcmp(word, "fresh") == 0;
}

static void
prepare(char **argv, size_t lines)
{
	raise_descriptor_limit();
	job.who_count = number_of("IDENTITIES", argv[4], 1, 10000);
	job.path = argv[5];
	job.who = calloc(job.who_count, sizeof(*job.who));
	job.times = calloc(job.wanted, sizeof(*job.times));
	job.idle = calloc(lines, sizeof(struct line *));
	if (job.who == NULL || job.times == NULL || job.idle == NULL)
		die("no memory for %" PRIu64 " requests", job.wanted);
	for (size_t i = 0; i < job.who_count; i++)
		identity_load(&job.who[i], argv[3], i);
	fleet_init(&job.fleet, (uint16_t)number_of("PORT", argv[2], 1, 65535), lines);
	set_identities();
	job.fleet.on_open = rest;
	job.fleet.on_answer = rest;
}

static void
run_load(bool rate)
{
	uint64_t begin;

	if (!job.fresh)
		open_lines(job.fleet.count, OPENING);
	wait_for_go();
	begin = now_ns();
	if (rate) {
		run_rate();
	} else {
		begin_closed();
		while (job.answered < job.wanted)
			fleet_turn(&job.fleet, -1);
	}
	report(begin);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 6 ? argv[1] : "";
	char text[64];

	if (strcmp(mode, "hold") == 0 && argc == 8) {
		job.wanted = number_of("PODS", argv[6], 1, MAX_CONNECTIONS);
		prepare(argv, job.wanted);
		run_hold(argv[3], number_of("ROUNDS", argv[7], 1, 1000));
	} else if (strcmp(mode, "closed") == 0 && argc == 9) {
		job.wanted = number_of("COUNT", argv[6], 1, UINT64_C(1) << 32);
		job.fresh = is_fresh(argv[8]);
		prepare(argv, number_of("CONNECTIONS", argv[7], 1, MAX_CONNECTIONS));
		run_load(false);
	} else if (strcmp(mode, "rate") == 0 && argc == 10) {
		job.per_second = number_of("PER-SECOND", argv[6], 1, 1000000);
		job.wanted = job.per_second * number_of("SECONDS", argv[8], 1, 3600);
		job.fresh = is_fresh(argv[9]);
		prepare(argv, number_of("CONNECTIONS", argv[7], 1, MAX_CONNECTIONS));
		run_load(true);
	} else {
		die("%s", usage);
	}
	/* The connections are kept until whoever measures says otherwise, or ends. */
	return fgets(text, sizeof(text), stdin) != NULL || feof(stdin) ? 0 : 1;
}
