/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers for lists of strings that own their members.  The storage always has room for the next
 * power of two of members, so that no capacity needs to be kept.
 */

#include "base/bytes/bytes.h"

char *
seal_strndup(const char *str, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = malloc(len + 1);
	if (copy == NULL)
		return NULL;
	if (len > 0)
		memcpy(copy, str, len);
	copy[len] = '\0';
	return copy;
}

void
seal_strv_release(struct seal_strv *list)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct seal_strv){ 0 };
}

static int
make_room(struct seal_strv *list, struct seal_err *err)
{
	size_t count = list->count;
	char **items;

	if ((count & (count - 1)) != 0)
		return 0;
	if (count > SIZE_MAX / 2)
		return seal_fail_memory(err);
	items = reallocarray(list->items, count == 0 ? 1 : count * 2, sizeof(*items));
	if (items == NULL)
		return seal_fail_memory(err);
	list->items = items;
	return 0;
}

static int
add_part(struct seal_strv *list, const char *str, size_t len, struct seal_err *err)
{
	char *copy;
	int r = make_room(list, err);

	if (r < 0)
		return r;
	copy = seal_strndup(str, len);
	if (copy == NULL)
		return seal_fail_memory(err);
	list->items[list->count++] = copy;
	return 0;
}

int
seal_strv_add(struct seal_strv *list, const char *str, struct seal_err *err)
{
	return add_part(list, str, strlen(str), err);
}

/* The old members go only once the new ones are all there. */
static void
replace(struct seal_strv *list, struct seal_strv *by)
{
	seal_strv_release(list);
	*list = *by;
	*by = (struct seal_strv){ 0 };
}

int
seal_strv_copy(struct seal_strv *list, const struct seal_strv *from, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv copy = { 0 };
	int r;

	for (size_t i = 0; i < from->count; i++) {
		r = seal_strv_add(&copy, from->items[i], err);
		if (r < 0)
			return r;
	}
	replace(list, &copy);
	return 0;
}

bool
seal_strv_contains(const struct seal_strv *list, const char *str)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], str) == 0)
			return true;
	}
	return false;
}

static int
by_text(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

void
seal_strv_sort(struct seal_strv *list)
{
	if (list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), by_text);
}

bool
seal_strv_contains_sorted(const struct seal_strv *list, const char *str)
{
	return list->count > 0 &&
	       bsearch(&str, list->items, list->count, sizeof(*list->items), by_text) != NULL;
}

bool
seal_strv_equal(const struct seal_strv *a, const struct seal_strv *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
add_trimmed(struct seal_strv *list, const char *from, const char *to, struct seal_err *err)
{
	while (from < to && is_blank(*from))
		from++;
	while (from < to && is_blank(to[-1]))
		to--;
	if (from == to)
		return seal_fail(err, SEAL_E_FORMAT, "an empty part in a list");
	return add_part(list, from, (size_t)(to - from), err);
}

int
seal_strv_split(struct seal_strv *list, const char *text, char sep, struct seal_err *err)
{
	SEAL_SCOPED(seal_strv_release) struct seal_strv parts = { 0 };
	bool more = *text != '\0';

	while (more) {
		const char *end = strchrnul(text, sep);
		int r = add_trimmed(&parts, text, end, err);

		if (r < 0)
			return r;
		more = *end != '\0';
		text = end + 1;
	}
	replace(list, &parts);
	return 0;
}
