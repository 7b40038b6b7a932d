/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving bytes, and nothing else: no sockets, no deadlines, no policy.
 *
 *   side 0 ──read──▶ staging ──write──▶ side 1      ways[0]
 *   side 0 ◀─write── staging ◀──read─── side 1      ways[1]
 *
 * Back-pressure is one rule: while a side holds unsent bytes, the other is not read.  So a connection
 * holds at most one staging area per direction, however slow its reader.
 */
#include "proxy/relay.h"

enum step { STEP_ON, STEP_WAIT, STEP_FAIL };

static const char *
side_name(const struct seal_stream *stream)
{
	return seal_stream_is_tls(stream) ? "peer" : "application";
}

static enum step
fail_side(const struct seal_stream *stream, struct seal_err *err)
{
	(void)seal_note(err, SEAL_E_CLOSED, "%s", side_name(stream));
	return STEP_FAIL;
}

/* Send what the side still holds; on when nothing is left. */
static enum step
flush(struct seal_stream *to, bool *ret_moved, struct seal_err *err)
{
	size_t before = seal_stream_unsent(to);

	if (before == 0)
		return STEP_ON;
	switch (seal_stream_flush(to, err)) {
	case SEAL_IO_FAIL:
		return fail_side(to, err);
	case SEAL_IO_DONE:
		*ret_moved = true;
		return STEP_ON;
	default:
		*ret_moved = *ret_moved || seal_stream_unsent(to) < before;
		return STEP_WAIT;
	}
}

static enum step
pass_on_end(struct proxy_way *way, struct seal_stream *to, bool last, struct seal_err *err)
{
	if (way->passed_on)
		return STEP_WAIT;
	switch (seal_stream_end(to, last, err)) {
	case SEAL_IO_FAIL:
		return fail_side(to, err);
	case SEAL_IO_DONE:
		way->passed_on = true;
		return STEP_WAIT;
	default:
		return STEP_WAIT;
	}
}

static enum step
read_some(struct proxy_way *way, struct seal_stream *from, uint8_t *area, size_t *ret_len,
	  size_t room, struct seal_err *err)
{
	way->wants_write = false;
	switch (seal_stream_read(from, area, room, ret_len, err)) {
	case SEAL_IO_DONE:
		return STEP_ON;
	case SEAL_IO_EOF:
		way->read_to_end = true;
		return STEP_ON;
	case SEAL_IO_WRITE:
		way->wants_write = true;
		return STEP_WAIT;
	case SEAL_IO_READ:
		way->ready = false;
		return STEP_WAIT;
	default:
		return fail_side(from, err);
	}
}

/* One step of one direction: flush, or pass the end on, or read and write once. */
static enum step
step_way(struct proxy_relay *relay, unsigned side, struct seal_staging *staging, bool *ret_moved,
	 struct seal_err *err)
{
	struct proxy_way *way = &relay->ways[side];
	struct seal_stream *from = relay->sides[side];
	struct seal_stream *to = relay->sides[!side];
	uint8_t *area = seal_staging_plain(staging);
	size_t room = seal_staging_room(staging);
	size_t len = 0;
	enum step step = flush(to, ret_moved, err);

	if (step != STEP_ON)
		return step;
	if (way->read_to_end)
		return pass_on_end(way, to, relay->ways[!side].passed_on, err);
	if (!way->ready && !way->wants_write && !seal_stream_pending(from))
		return STEP_WAIT;
	step = read_some(way, from, area, &len, room, err);
	if (step != STEP_ON || len == 0)
		return step;
	*ret_moved = true;
	way->bytes += len;
	if (seal_stream_write(to, area, len, err) == SEAL_IO_FAIL)
		return fail_side(to, err);
	/* A short read has emptied the socket: asking again would cost a system call for nothing. */
	if (len == room || seal_stream_may_have_more(from) || seal_stream_pending(from))
		return STEP_ON;
	way->ready = false;
	return STEP_WAIT;
}

static enum step
run_way(struct proxy_relay *relay, unsigned side, struct seal_staging *staging, bool *ret_moved,
	struct seal_err *err)
{
	struct proxy_way *way = &relay->ways[side];
	uint64_t stop = way->bytes + PROXY_TURN_MAX;
	enum step step = STEP_ON;

	while (step == STEP_ON && way->bytes < stop)
		step = step_way(relay, side, staging, ret_moved, err);
	return step;
}

/*
 * A side that can no longer be written to may have spoken before it left, as servers do that turn an
 * upload away: what it said is delivered as far as the other side takes it now.  Its end is not passed
 * on, since it was none.
 */
static void
rescue(struct proxy_relay *relay, unsigned side, uint8_t *area)
{
	struct proxy_way *way = &relay->ways[side];
	struct seal_stream *to = relay->sides[!side];
	uint64_t stop = way->bytes + PROXY_TURN_MAX;
	size_t len = 0;

	while (!way->read_to_end && way->bytes < stop && seal_stream_unsent(to) == 0 &&
	       seal_stream_read(relay->sides[side], area, SEAL_STAGING_LEN, &len, NULL) ==
		       SEAL_IO_DONE) {
		if (seal_stream_write(to, area, len, NULL) == SEAL_IO_FAIL)
			return;
		way->bytes += len;
	}
}

static bool
has_more_at_hand(const struct proxy_relay *relay, unsigned side)
{
	return !relay->ways[side].read_to_end && seal_stream_unsent(relay->sides[!side]) == 0 &&
	       seal_stream_pending(relay->sides[side]);
}

/* What a peer waits for has found nothing to go with. */
static enum step
settle_debt(struct seal_stream *stream, struct seal_err *err)
{
	if (seal_stream_owes(stream) && seal_stream_flush(stream, err) == SEAL_IO_FAIL)
		return fail_side(stream, err);
	return STEP_ON;
}

enum proxy_relay_result
proxy_relay_turn(struct proxy_relay *relay, struct seal_staging *staging, bool *ret_moved,
		 struct seal_err *err)
{
	const struct proxy_way *ways = relay->ways;

	*ret_moved = false;
	for (unsigned side = 0; side < 2; side++)
		if (run_way(relay, side, staging, ret_moved, err) == STEP_FAIL) {
			rescue(relay, !side, seal_staging_plain(staging));
			return PROXY_RELAY_FAIL;
		}
	for (unsigned side = 0; side < 2; side++)
		if (settle_debt(relay->sides[side], err) == STEP_FAIL)
			return PROXY_RELAY_FAIL;
	if (ways[0].passed_on && ways[1].passed_on)
		return PROXY_RELAY_DONE;
	if (ways[0].read_to_end && ways[1].read_to_end)
		return PROXY_RELAY_EOF;
	if (has_more_at_hand(relay, 0) || has_more_at_hand(relay, 1))
		return PROXY_RELAY_AGAIN;
	return PROXY_RELAY_WAIT;
}

void
proxy_relay_wants(const struct proxy_relay *relay, unsigned side, bool *ret_readable,
		  bool *ret_writable)
{
	const struct proxy_way *in = &relay->ways[side];
	const struct proxy_way *out = &relay->ways[!side];
	bool blocked = seal_stream_unsent(relay->sides[!side]) != 0;

	*ret_readable = !in->read_to_end && !blocked;
	*ret_writable = seal_stream_unsent(relay->sides[side]) != 0 ||
			(out->read_to_end && !out->passed_on) || (*ret_readable && in->wants_write);
}
