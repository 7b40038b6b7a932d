/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structure-aware part of fuzz_hello: RFC 8446 sections 4.1.2, 4.1.3 and 5.1, as an adversary
 * reads them.  Knows syntax only; what is right is for the target to say.
 */
#include "tests/fuzz/hello.h"

#include <stdbool.h>
#include <string.h>

#define MESSAGE_MAX   (32u * 1024)
#define EXTENSION_MAX 48
#define CLIENT_HELLO  1
#define SERVER_HELLO  2
#define RECORD_MAX    (16u * 1024)

struct piece {
	const uint8_t *data;
	size_t len;
};

struct extension {
	uint16_t type;
	struct piece body;
};

struct hello {
	uint8_t kind;
	uint8_t start[34]; /* version and random */
	struct piece session_id;
	struct piece suites;      /* of a ServerHello: the one suite and the compression */
	struct piece compression; /* ClientHello only */
	struct extension extensions[EXTENSION_MAX];
	size_t count;
	struct piece rest; /* records behind the one the message ends in */
};

/* xorshift: the fuzzer's seed decides everything. */
struct dice {
	uint64_t state;
};

static uint32_t
roll(struct dice *dice, uint32_t sides)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return sides == 0 ? 0 : (uint32_t)(dice->state >> 16) % sides;
}

/* ---- a writer whose overflow sticks ------------------------------------------------------------- */

struct out {
	uint8_t *data;
	size_t len;
	size_t max;
	bool full;
};

static void
put(struct out *out, const void *data, size_t len)
{
	if (len > out->max - out->len) {
		out->full = true;
		return;
	}
	if (len > 0)
		memcpy(out->data + out->len, data, len);
	out->len += len;
}

static void
put_number(struct out *out, size_t value, size_t bytes)
{
	uint8_t text[4];

	for (size_t i = 0; i < bytes; i++)
		text[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	put(out, text, bytes);
}

static void
put_block(struct out *out, struct piece piece, size_t length_bytes)
{
	put_number(out, piece.len, length_bytes);
	put(out, piece.data, piece.len);
}

/* ---- reading ------------------------------------------------------------------------------------ */

static bool
take(struct piece *from, size_t len, struct piece *ret)
{
	if (len > from->len)
		return false;
	*ret = (struct piece){ from->data, len };
	from->data += len;
	from->len -= len;
	return true;
}

static bool
take_number(struct piece *from, size_t bytes, size_t *ret)
{
	struct piece text;

	if (!take(from, bytes, &text))
		return false;
	*ret = 0;
	for (size_t i = 0; i < bytes; i++)
		*ret = *ret << 8 | text.data[i];
	return true;
}

static bool
take_block(struct piece *from, size_t length_bytes, struct piece *ret)
{
	size_t len = 0;

	return take_number(from, length_bytes, &len) && take(from, len, ret);
}

static bool
take_extensions(struct hello *hello, struct piece list)
{
	while (list.len > 0 && hello->count < EXTENSION_MAX) {
		struct extension *extension = &hello->extensions[hello->count];
		size_t type = 0;

		if (!take_number(&list, 2, &type) || !take_block(&list, 2, &extension->body))
			return false;
		extension->type = (uint16_t)type;
		hello->count++;
	}
	return true;
}

/* The handshake message that the flight's first records carry, into text; what follows is rest. */
static bool
join_records(struct piece flight, struct out *text, struct piece *ret_rest)
{
	size_t wanted = 4;

	while (text->len < wanted) {
		struct piece body;
		size_t kind = 0;
		size_t version = 0;

		if (!take_number(&flight, 1, &kind) || !take_number(&flight, 2, &version) ||
		    !take_block(&flight, 2, &body))
			return false;
		if (kind != 22)
			continue;
		put(text, body.data, body.len);
		if (text->full)
			return false;
		if (text->len >= 4)
			wanted = 4 + ((size_t)text->data[1] << 16 | (size_t)text->data[2] << 8 |
				      text->data[3]);
	}
	*ret_rest = flight;
	return text->len == wanted;
}

static bool
parse(struct hello *hello, struct piece text)
{
	struct piece start;
	struct piece list;
	size_t kind = 0;
	size_t len = 0;

	if (!take_number(&text, 1, &kind) || !take_number(&text, 3, &len) ||
	    !take(&text, sizeof(hello->start), &start) || !take_block(&text, 1, &hello->session_id))
		return false;
	hello->kind = (uint8_t)kind;
	memcpy(hello->start, start.data, sizeof(hello->start));
	if (kind == SERVER_HELLO && !take(&text, 3, &hello->suites))
		return false;
	if (kind == CLIENT_HELLO &&
	    (!take_block(&text, 2, &hello->suites) || !take_block(&text, 1, &hello->compression)))
		return false;
	if (kind != CLIENT_HELLO && kind != SERVER_HELLO)
		return false;
	return text.len == 0 || (take_block(&text, 2, &list) && take_extensions(hello, list));
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void
write_extensions(const struct hello *hello, struct out *out)
{
	size_t total = 0;

	for (size_t i = 0; i < hello->count; i++)
		total += 4 + hello->extensions[i].body.len;
	put_number(out, total, 2);
	for (size_t i = 0; i < hello->count; i++) {
		put_number(out, hello->extensions[i].type, 2);
		put_block(out, hello->extensions[i].body, 2);
	}
}

static void
write_message(const struct hello *hello, struct out *out)
{
	size_t begin = out->len;
	size_t len;

	put_number(out, hello->kind, 1);
	put_number(out, 0, 3);
	put(out, hello->start, sizeof(hello->start));
	put_block(out, hello->session_id, 1);
	if (hello->kind == CLIENT_HELLO) {
		put_block(out, hello->suites, 2);
		put_block(out, hello->compression, 1);
	} else {
		put(out, hello->suites.data, hello->suites.len);
	}
	write_extensions(hello, out);
	if (out->full)
		return;
	len = out->len - begin - 4;
	out->data[begin + 1] = (uint8_t)(len >> 16);
	out->data[begin + 2] = (uint8_t)(len >> 8);
	out->data[begin + 3] = (uint8_t)len;
}

static void
put_record(struct out *out, unsigned kind, struct piece body)
{
	put_number(out, kind, 1);
	put_number(out, 0x0301, 2);
	put_block(out, body, 2);
}

/* What may come between two pieces of a message: nothing, mostly. */
static void
put_between(struct out *out, struct dice *dice)
{
	static const uint8_t ccs[] = { 1 };
	static const uint8_t alerts[][2] = { { 1, 0 }, { 1, 90 }, { 1, 112 }, { 2, 40 } };
	static const uint8_t empty[1] = { 0 };

	switch (roll(dice, 24)) {
	case 0:
		put_record(out, 20, (struct piece){ ccs, 1 });
		break;
	case 1:
		put_record(out, 21, (struct piece){ alerts[roll(dice, 4)], 2 });
		break;
	case 2:
		put_record(out, 22, (struct piece){ empty, 0 });
		break;
	case 3:
		put_record(out, 23, (struct piece){ empty, 0 });
		break;
	default:
		break;
	}
}

static void
write_records(struct out *out, struct piece text, struct dice *dice)
{
	const uint32_t pieces[] = { RECORD_MAX, RECORD_MAX, 512, 64, 5, 4, 1 };
	uint32_t most = pieces[roll(dice, 7)];
	struct piece body;

	while (text.len > 0 && !out->full) {
		size_t some = most == RECORD_MAX ? most : 1 + roll(dice, most);

		if (!take(&text, some < text.len ? some : text.len, &body))
			return;
		put_record(out, 22, body);
		if (most != RECORD_MAX || roll(dice, 8) == 0)
			put_between(out, dice);
	}
}

/* ---- what hurts --------------------------------------------------------------------------------- */

/* Extensions that somebody interprets (IANA), and some that nobody does. */
static const uint16_t types[] = { 0,  1,  5,  10,     11,     13,     14, 15, 16, 18,
				  21, 22, 23, 35,     41,     42,     43, 44, 45, 47,
				  48, 49, 50, 0x0a0a, 0xfafa, 0xff01, 51, 28, 57, 27 };
static const uint16_t groups[] = { 0x001d, 0x0017, 0x0018, 0x001e, 0x0100, 0x6399, 0x0a0a, 0 };
static const uint16_t versions[] = { 0x0304, 0x0303, 0x0301, 0x0300, 0x7f1c, 0x0a0a, 0x0305, 0 };

/* New text lives here for the time of one mutation. */
static uint8_t arena[4 * MESSAGE_MAX];
static size_t arena_used;

static struct out
scratch(size_t max)
{
	struct out out = { .data = arena + arena_used, .max = max };

	if (max > sizeof(arena) - arena_used)
		out.max = 0;
	arena_used += out.max;
	return out;
}

static struct piece
done(const struct out *out)
{
	return (struct piece){ out->data, out->len };
}

static void
put_noise(struct out *out, struct dice *dice, size_t len)
{
	uint32_t how = roll(dice, 3);

	for (size_t i = 0; i < len; i++)
		put_number(out, how == 0 ? 0 : how == 1 ? 0xff : roll(dice, 256), 1);
}

/* A list of numbers of two bytes, among them those that mean something. */
static struct piece
numbers(struct dice *dice, const uint16_t *known, size_t count, size_t length_bytes)
{
	struct out list = scratch(8192);
	struct out out = scratch(8192 + 4);
	size_t many = roll(dice, 4) == 0 ? roll(dice, 4000) : roll(dice, 6);

	for (size_t i = 0; i < many; i++)
		put_number(&list,
			   roll(dice, 4) == 0 ? roll(dice, 65536)
					      : known[roll(dice, (uint32_t)count)],
			   2);
	put_block(&out, done(&list), length_bytes);
	return done(&out);
}

/* RFC 8446 section 4.2.8, with points of all lengths and of none of the curves. */
static struct piece
key_share(struct dice *dice, uint8_t kind)
{
	static const size_t lens[] = { 32, 65, 97, 0, 1, 31, 33, 64, 66, 133, 1216 };
	struct out list = scratch(8192);
	struct out out = scratch(8192 + 4);
	size_t many = kind == SERVER_HELLO ? 1 : roll(dice, 5);

	if (roll(dice, 64) == 0)
		many = 200;
	for (size_t i = 0; i < many; i++) {
		struct out point = scratch(1300);
		size_t len = lens[roll(dice, 11)];
		uint16_t group = groups[roll(dice, 8)];

		if (roll(dice, 2) == 0) /* a length that fits */
			len = group == 0x001d ? 32 : group == 0x0017 ? 65 : len;
		if (len == 65 && roll(dice, 2) == 0) {
			put_number(&point, 4, 1);
			len = 64;
		}
		put_noise(&point, dice, len);
		put_number(&list, group, 2);
		put_block(&list, done(&point), 2);
	}
	if (kind == SERVER_HELLO)
		return done(&list);
	put_block(&out, done(&list), 2);
	return done(&out);
}

/* RFC 8446 section 4.2.11: tickets nobody issued, binders that bind nothing. */
static struct piece
pre_shared_key(struct dice *dice, uint8_t kind)
{
	static const size_t lens[] = { 16, 32, 48, 33, 0, 1, 255, 600 };
	struct out ids = scratch(6000);
	struct out binders = scratch(6000);
	struct out out = scratch(12004);
	size_t many = roll(dice, 16) == 0 ? 60 : roll(dice, 4);
	size_t bound = roll(dice, 4) == 0 ? roll(dice, 5) : many;

	if (kind == SERVER_HELLO) {
		put_number(&out, roll(dice, 3), 2);
		return done(&out);
	}
	for (size_t i = 0; i < many; i++) {
		size_t len = lens[roll(dice, 8)];

		put_number(&ids, len, 2);
		put_noise(&ids, dice, len);
		put_number(&ids, roll(dice, 65536), 4);
	}
	for (size_t i = 0; i < bound; i++) {
		size_t len = lens[roll(dice, 7)];

		put_number(&binders, len, 1);
		put_noise(&binders, dice, len);
	}
	put_block(&out, done(&ids), 2);
	put_block(&out, done(&binders), 2);
	return done(&out);
}

/* Names and protocols: lists of blocks, some with a type before each (RFC 6066, RFC 7301). */
static struct piece
strings(struct dice *dice, bool typed)
{
	static const char *const words[] = { "db.example.com",
					     "",
					     "h2",
					     "http/1.1",
					     "a\0b",
					     "127.0.0.1",
					     "xn--nxasmq6b.",
					     "UPPER.example",
					     "*.example" };
	struct out list = scratch(8192);
	struct out out = scratch(8192 + 4);
	size_t many = roll(dice, 8) == 0 ? roll(dice, 300) : roll(dice, 4);

	for (size_t i = 0; i < many; i++) {
		struct out word = scratch(300);
		uint32_t which = roll(dice, 11);

		if (which < 9)
			put(&word, words[which], which == 4 ? 3 : strlen(words[which]));
		else
			put_noise(&word, dice, roll(dice, 256));
		if (typed)
			put_number(&list, roll(dice, 8) == 0 ? 1 : 0, 1);
		put_block(&list, done(&word), typed ? 2 : 1);
	}
	put_block(&out, done(&list), 2);
	return done(&out);
}

static struct piece
body_for(struct dice *dice, uint16_t type, uint8_t kind)
{
	struct out out = scratch(4096);

	switch (type) {
	case 0:
		return strings(dice, true);
	case 10:
		return numbers(dice, groups, 8, 2);
	case 13:
	case 50: {
		static const uint16_t schemes[] = { 0x0403, 0x0804, 0x0807, 0x0201, 0x0503 };
		return numbers(dice, schemes, 5, 2);
	}
	case 16:
		return strings(dice, false);
	case 41:
		return pre_shared_key(dice, kind);
	case 43:
		if (kind == CLIENT_HELLO)
			return numbers(dice, versions, 8, 1);
		put_number(&out, versions[roll(dice, 8)], 2);
		return done(&out);
	case 45:
		put_block(&out, (struct piece){ (const uint8_t *)"\1\0\2", roll(dice, 4) }, 1);
		return done(&out);
	case 51:
		return key_share(dice, kind);
	default:
		put_noise(&out, dice, roll(dice, 16) == 0 ? roll(dice, 4000) : roll(dice, 40));
		return done(&out);
	}
}

static void
insert(struct hello *hello, size_t at, struct extension extension)
{
	if (hello->count == EXTENSION_MAX || at > hello->count)
		return;
	memmove(hello->extensions + at + 1, hello->extensions + at,
		(hello->count - at) * sizeof(extension));
	hello->extensions[at] = extension;
	hello->count++;
}

static void
insert_fresh(struct hello *hello, struct dice *dice)
{
	uint16_t type = types[roll(dice, sizeof(types) / sizeof(types[0]))];
	struct extension fresh = { type, body_for(dice, type, hello->kind) };

	/* A PSK must come last, or must not be there. */
	insert(hello,
	       type == 41 && roll(dice, 4) > 0 ? hello->count
					       : roll(dice, (uint32_t)hello->count + 1),
	       fresh);
}

/* One extension, chosen by the dice. */
static void
mutate_extension(struct hello *hello, struct dice *dice)
{
	size_t at = roll(dice, (uint32_t)hello->count);
	size_t other = roll(dice, (uint32_t)hello->count);
	struct extension *extension = &hello->extensions[at];
	struct extension swapped = *extension;
	struct out out;

	switch (roll(dice, 8)) {
	case 0: /* another order */
		*extension = hello->extensions[other];
		hello->extensions[other] = swapped;
		break;
	case 1: /* twice */
		insert(hello, other, swapped);
		break;
	case 2: /* gone */
		hello->count--;
		memmove(extension, extension + 1, (hello->count - at) * sizeof(*extension));
		break;
	case 3: /* shorter */
		extension->body.len = roll(dice, (uint32_t)extension->body.len + 1);
		break;
	case 4: /* longer */
		out = scratch(extension->body.len + 5000);
		put(&out, extension->body.data, extension->body.len);
		put_noise(&out, dice, roll(dice, 8) == 0 ? 4000 : 1 + roll(dice, 8));
		extension->body = done(&out);
		break;
	case 5: /* bytes changed */
		out = scratch(extension->body.len);
		put(&out, extension->body.data, extension->body.len);
		for (uint32_t n = roll(dice, 3); out.len > 0 && n < 3; n++)
			out.data[roll(dice, (uint32_t)out.len)] = (uint8_t)roll(dice, 256);
		extension->body = done(&out);
		break;
	case 6: /* the same, of another meaning */
		extension->type = types[roll(dice, sizeof(types) / sizeof(types[0]))];
		break;
	default: /* the same meaning, made anew */
		extension->body = body_for(dice, extension->type, hello->kind);
		break;
	}
}

static void
mutate_fields(struct hello *hello, struct dice *dice)
{
	static const uint16_t suites[] = { 0x1301, 0x1302, 0x1303, 0xc02b, 0x00ff, 0x5600, 0x0000 };
	struct out out = scratch(300);

	switch (roll(dice, 5)) {
	case 0:
		hello->start[0] = 3;
		hello->start[1] = (uint8_t)roll(dice, 6);
		break;
	case 1:
		put_noise(&out, dice, roll(dice, 2) == 0 ? 32 : roll(dice, 256));
		hello->session_id = done(&out);
		break;
	case 2: {
		struct piece list = numbers(dice, suites, 7, 2);

		hello->suites.data = list.data + (hello->kind == CLIENT_HELLO ? 2 : 0);
		hello->suites.len = hello->kind == CLIENT_HELLO ? list.len - 2
				    : list.len < 3              ? list.len
								: 3;
		break;
	}
	case 3:
		put_noise(&out, dice, roll(dice, 4) == 0 ? roll(dice, 256) : roll(dice, 3));
		hello->compression = done(&out);
		break;
	default:
		hello->kind = roll(dice, 8) == 0 ? (uint8_t)roll(dice, 25) : hello->kind;
		break;
	}
}

/* Lengths that lie, with everything else in place. */
static void
lie(struct out *text, struct dice *dice)
{
	for (uint32_t n = 0; text->len > 0 && n < 1 + roll(dice, 3); n++) {
		size_t at = roll(dice, (uint32_t)text->len);

		text->data[at] = roll(dice, 2) == 0
					 ? (uint8_t)roll(dice, 256)
					 : (uint8_t)(text->data[at] + 1 - 2 * roll(dice, 2));
	}
}

size_t
hello_mutate(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	static uint8_t joined[MESSAGE_MAX];
	static uint8_t written[2 * MESSAGE_MAX];
	struct dice dice = { .state = 0x9e3779b97f4a7c15u ^ ((uint64_t)seed << 20 | seed) };
	struct out text = { .data = joined, .max = sizeof(joined) };
	struct out message = { .data = written, .max = sizeof(written) };
	struct out flight = { .data = data, .max = max };
	static uint8_t rest[MESSAGE_MAX];
	struct hello hello = { 0 };

	arena_used = 0;
	if (!join_records((struct piece){ data, len }, &text, &hello.rest) ||
	    hello.rest.len > sizeof(rest) || !parse(&hello, done(&text)))
		return 0;
	if (hello.rest.len > 0)
		memcpy(rest, hello.rest.data, hello.rest.len);
	for (uint32_t n = 0; n <= roll(&dice, 3); n++) {
		uint32_t what = roll(&dice, 8);

		if (what < 2)
			mutate_fields(&hello, &dice);
		else if (what < 4 || hello.count == 0)
			insert_fresh(&hello, &dice);
		else
			mutate_extension(&hello, &dice);
	}
	write_message(&hello, &message);
	if (roll(&dice, 16) == 0) /* once more in the same flight */
		write_message(&hello, &message);
	if (roll(&dice, 8) == 0)
		lie(&message, &dice);
	write_records(&flight, done(&message), &dice);
	put(&flight, rest, hello.rest.len);
	return message.full ? 0 : flight.len;
}
