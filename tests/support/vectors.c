/* SPDX-License-Identifier: Apache-2.0 */
/* Answers for walking a folder of vectors. */

#include "tests/support/vectors.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <string.h>

#include "tests/support/pki.h"

#define PATH_MOST 512

static size_t
read_whole(const char *path, char **ret_text)
{
	FILE *file = fopen(path, "re");
	char *whole = malloc(VECTORS_MOST);
	size_t len;

	cr_assert(whole != NULL);
	if (file == NULL) {
		free(whole);
		return 0;
	}
	len = fread(whole, 1, VECTORS_MOST, file);
	cr_assert(!ferror(file) && len < VECTORS_MOST, "%s", path);
	(void)fclose(file);
	*ret_text = malloc(len == 0 ? 1 : len);
	cr_assert(*ret_text != NULL);
	memcpy(*ret_text, whole, len);
	free(whole);
	return len;
}

size_t
vectors_each(const char *folder, const char *suffix,
	     void (*fn)(void *arg, const char *name, const char *text, size_t len), void *arg)
{
	char dir[PATH_MOST], path[2 * PATH_MOST];
	size_t count = 0;
	struct dirent **names = NULL;
	int found;

	if (pki_vectors(folder, dir, sizeof(dir)) == NULL)
		return 0;
	found = scandir(dir, &names, NULL, alphasort);
	cr_assert_geq(found, 0);
	for (int i = 0; i < found; i++) {
		const char *name = names[i]->d_name;
		size_t len = strlen(name);
		char *text = NULL;

		if (len > strlen(suffix) && strcmp(name + len - strlen(suffix), suffix) == 0) {
			(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
			len = read_whole(path, &text);
			fn(arg, name, text, len);
			free(text);
			count++;
		}
		free(names[i]);
	}
	free(names);
	return count;
}

size_t
vectors_sibling(const char *folder, const char *name, const char *suffix, char **ret_text)
{
	char dir[PATH_MOST], path[2 * PATH_MOST];
	const char *dot = strrchr(name, '.');

	cr_assert(dot != NULL && pki_vectors(folder, dir, sizeof(dir)) != NULL);
	(void)snprintf(path, sizeof(path), "%s/%.*s%s", dir, (int)(dot - name), name, suffix);
	return read_whole(path, ret_text);
}
