/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that say of themselves that they are not what they should be.  What they found is theirs to
 * know; here it is kept who is suspected, since when, and when the last one is back.  What it means not to
 * serve is the worker's.
 */
#include "proxy/agent_internal.h"

#define SENTENCE "a container is not what it should be: "

static struct agent_suspect *
find(struct proxy_agent *agent, const char *container)
{
	for (size_t i = 0; i < agent->suspect_count; i++)
		if (strcmp(agent->suspects[i].is.name, container) == 0)
			return &agent->suspects[i];
	return NULL;
}

/* A place in the list: a free one, or that of one who suspends nothing.  NULL when all do. */
static struct agent_suspect *
place_for(struct proxy_agent *agent)
{
	if (agent->suspect_count < PROXY_AGENT_SUSPECTS_MAX)
		return &agent->suspects[agent->suspect_count++];
	for (size_t i = 0; i < agent->suspect_count; i++)
		if (!agent->suspects[i].is.suspends)
			return &agent->suspects[i];
	return NULL;
}

static struct agent_suspect *
find_or_add(struct proxy_agent *agent, const char *container)
{
	struct agent_suspect *suspect = find(agent, container);

	if (suspect != NULL)
		return suspect;
	suspect = place_for(agent);
	if (suspect == NULL)
		return NULL;
	*suspect = (struct agent_suspect){ .before = 0 };
	(void)snprintf(suspect->is.name, sizeof(suspect->is.name), "%s", container);
	return suspect;
}

static size_t
count_suspending(const struct proxy_agent *agent)
{
	size_t count = 0;

	for (size_t i = 0; i < agent->suspect_count; i++)
		count += agent->suspects[i].is.suspends;
	return count;
}

/* Cut at the end of a name when there are too many. */
static void
make_sentence(struct proxy_agent *agent)
{
	const size_t room = sizeof(agent->suspicion) - sizeof(", ...");
	const char *before = SENTENCE;
	size_t len = 0;

	agent->suspicion[0] = '\0';
	for (size_t i = 0; i < agent->suspect_count; i++) {
		const struct proxy_agent_suspect *is = &agent->suspects[i].is;

		if (!is->suspends)
			continue;
		if (len + strlen(before) + strlen(is->name) > room) {
			(void)snprintf(agent->suspicion + len, sizeof(agent->suspicion) - len,
				       ", ...");
			return;
		}
		len += (size_t)snprintf(agent->suspicion + len, sizeof(agent->suspicion) - len,
					"%s%s", before, is->name);
		before = ", ";
	}
}

const char *
proxy_agent_suspicion(const struct proxy_agent *agent)
{
	return agent->suspicion[0] != '\0' ? agent->suspicion : NULL;
}

/* Who is suspected has changed; whether anybody is, perhaps. */
static void
settle(struct proxy_agent *agent)
{
	const bool was_suspended = proxy_agent_suspicion(agent) != NULL;
	const char *why;

	make_sentence(agent);
	why = proxy_agent_suspicion(agent);
	if (agent->suspend != NULL && was_suspended != (why != NULL))
		agent->suspend(agent->arg, why);
}

int
agent_suspect(struct agent_conn *conn, const char *reason, size_t reason_len, bool suspend,
	      struct seal_err *err)
{
	struct proxy_agent *agent = conn->agent;
	struct agent_suspect *suspect = find_or_add(agent, conn->container);
	char text[VERIFY_SUSPECT_MAX + 1];
	uint64_t missed;

	if (suspect == NULL)
		return seal_fail(err, SEAL_E_LIMIT, "too many containers are suspected already");
	(void)snprintf(text, sizeof(text), "%.*s", (int)reason_len, reason);
	suspect->is.reports++;
	if (suspend || !suspect->is.suspends)
		memcpy(suspect->is.reason, text, sizeof(text));
	if (suspend) {
		suspect->is.suspends = true;
		suspect->before = agent->made;
	}
	if (seal_log_may(&suspect->lines, 1, &missed))
		seal_log(suspend ? SEAL_LOG_ERROR : SEAL_LOG_WARN, "suspicion",
			 SEAL_STR("container", conn->container),
			 SEAL_STR("mode", suspend ? "enforce" : "audit"), SEAL_STR("reason", text),
			 SEAL_U64("missed", missed));
	settle(agent);
	return 0;
}

/*
 * Whoever holds the spec is the application's only one of that name, and came after the report: the one
 * that was suspected has gone.
 */
void
agent_is_back(struct agent_conn *conn)
{
	struct proxy_agent *agent = conn->agent;
	struct agent_suspect *suspect = find(agent, conn->container);

	if (suspect == NULL || !suspect->is.suspends || conn->role != AGENT_MAIN ||
	    conn->number <= suspect->before)
		return;
	suspect->is.suspends = false;
	seal_log(SEAL_LOG_NOTICE, "suspicion_over", SEAL_STR("container", conn->container),
		 SEAL_U64("still_suspected", count_suspending(agent)));
	settle(agent);
}
