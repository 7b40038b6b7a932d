/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for a name server that says what the test wants (RFC 1035 section 4). */
#include "tests/support/dns.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop/loop_internal.h"

#define PACKET_MAX 1024
#define HEADER_LEN 12
#define TYPE_A     1

/* The length of the header and the one question of a query, or 0; the name as text. */
static size_t
read_question(const uint8_t *query, size_t len, char name[static 256])
{
	size_t at = HEADER_LEN;
	size_t out = 0;

	while (at < len && query[at] != 0) {
		size_t label = query[at];

		if (at + 1 + label >= len || out + label + 2 > 256)
			return 0;
		if (out > 0)
			name[out++] = '.';
		memcpy(name + out, query + at + 1, label);
		out += label;
		at += label + 1;
	}
	name[out] = '\0';
	return at + 5 <= len ? at + 5 : 0;
}

static const struct dns_row *
find_row(const struct dns *dns, const char *name, int family)
{
	static const struct dns_row unknown = { .what = 3 };

	for (size_t i = 0; i < dns->row_count; i++) {
		const struct dns_row *row = &dns->rows[i];

		if (row->family == family && (row->name == NULL || strcmp(row->name, name) == 0))
			return row;
	}
	return &unknown;
}

static size_t
append_address(uint8_t *packet, size_t at, const struct dns_row *row, const char *address)
{
	uint8_t head[12] = { 0xc0, HEADER_LEN, 0, 0, 0, 1 };
	size_t len = row->family == AF_INET ? 4 : 16;
	uint32_t ttl = htonl(row->ttl_s);

	head[3] = row->family == AF_INET ? TYPE_A : 28;
	memcpy(head + 6, &ttl, sizeof(ttl));
	head[11] = (uint8_t)len;
	memcpy(packet + at, head, sizeof(head));
	cr_assert_eq(inet_pton(row->family, address, packet + at + sizeof(head)), 1);
	return at + sizeof(head) + len;
}

/* Turn the query into its answer; returns its length, 0 for silence. */
static size_t
play_answer(struct dns *dns, uint8_t *packet, size_t len)
{
	size_t end = read_question(packet, len, dns->last);
	const struct dns_row *row;
	uint8_t count = 0;

	if (end == 0)
		return 0;
	row = find_row(dns, dns->last, packet[end - 3] == TYPE_A ? AF_INET : AF_INET6);
	if (row->what == DNS_SILENCE)
		return 0;
	memset(packet + 6, 0, 6);
	packet[2] = row->what == DNS_TRUNCATED ? 0x83 : 0x81;
	packet[3] = 0x80;
	if (row->what < DNS_ADDRESS) {
		packet[3] |= (uint8_t)row->what;
		return end;
	}
	while (count < DNS_MAX_ADDRESSES && row->addresses[count] != NULL)
		end = append_address(packet, end, row, row->addresses[count++]);
	packet[7] = count;
	return row->what == DNS_GARBAGE ? end - 2 : end;
}

static void
serve(void *arg, bool readable, bool writable)
{
	struct dns *dns = arg;
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	uint8_t packet[PACKET_MAX];
	ssize_t len =
		recvfrom(dns->fd, packet, PACKET_MAX / 2, 0, (struct sockaddr *)&from, &from_len);

	(void)readable;
	(void)writable;
	if (len <= 0)
		return;
	dns->asked++;
	len = (ssize_t)play_answer(dns, packet, (size_t)len);
	if (len > 0)
		cr_expect_eq(
			sendto(dns->fd, packet, (size_t)len, 0, (struct sockaddr *)&from, from_len),
			len);
}

/* Replaced by a new file, as an administrator's tools do it. */
static void
replace(const char *path, const char *text, size_t len)
{
	char draft[128];
	int fd;

	(void)snprintf(draft, sizeof(draft), "%s.new", path);
	fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	cr_assert_eq(rename(draft, path), 0);
}

void
dns_write_hosts(const struct dns *dns, const char *text, size_t len)
{
	replace(dns->hosts, text, len);
}

void
dns_write_resolv_conf(const struct dns *dns, bool whole, const char *text)
{
	char all[1024];
	int len =
		whole ? snprintf(all, sizeof(all), "%s", text)
		      : snprintf(all, sizeof(all), "nameserver 127.0.0.1:%u\n%s", dns->port, text);

	replace(dns->resolv_conf, all, (size_t)len);
}

void
dns_start(struct dns *dns, struct seal_loop *loop)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);

	*dns = (struct dns){ .loop = loop, .dir = "/tmp/seal-dns-XXXXXX" };
	cr_assert_not_null(mkdtemp(dns->dir));
	(void)snprintf(dns->resolv_conf, sizeof(dns->resolv_conf), "%s/resolv.conf", dns->dir);
	(void)snprintf(dns->hosts, sizeof(dns->hosts), "%s/hosts", dns->dir);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	cr_assert_geq(dns->fd, 0);
	cr_assert_eq(bind(dns->fd, (struct sockaddr *)&in, len), 0);
	cr_assert_eq(getsockname(dns->fd, (struct sockaddr *)&in, &len), 0);
	dns->port = ntohs(in.sin_port);
	cr_assert_eq(seal_watch_new(&dns->watch, loop, dns->fd, serve, dns, NULL), 0);
	seal_watch_want(dns->watch, true, false);
	dns_write_hosts(dns, "", 0);
	dns_write_resolv_conf(dns, false, "");
	seal_resolve_setup(loop, dns->resolv_conf, dns->hosts);
}

void
dns_set(struct dns *dns, const struct dns_row *rows, size_t row_count)
{
	dns->rows = rows;
	dns->row_count = row_count;
}

void
dns_stop(struct dns *dns)
{
	seal_watch_free(dns->watch);
	close(dns->fd);
	unlink(dns->resolv_conf);
	unlink(dns->hosts);
	rmdir(dns->dir);
}
