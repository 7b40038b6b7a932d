/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image would run when the manifest does not say it.
 */
#include <string.h>

#include "rot/inject/inject_internal.h"

const struct inject_image *
inject_image_find(const struct inject_container *container)
{
	const struct inject_options *options = container->pod->item->run->options;
	const struct inject_image *fallback = NULL;
	const char *image = inject_peek_text(container->node, "image", "");

	for (size_t i = 0; i < options->image_count; i++) {
		const struct inject_image *at = &options->images[i];

		if (strcmp(at->match, container->name) == 0 || strcmp(at->match, image) == 0)
			return at;
		if (at->match[0] == '\0')
			fallback = at;
	}
	return fallback;
}

void
inject_image_set(const struct inject_image *image, struct seal_json *spec)
{
	static const char *const members[] = { "Entrypoint", "Cmd", "Env", "WorkingDir" };
	struct seal_json *to = seal_json_set_object(spec, "image");

	for (size_t i = 0; i < SEAL_COUNT(members); i++) {
		const struct seal_json *member = seal_json_member(image->config, members[i]);

		if (member != NULL && seal_json_kind(member) != SEAL_JSON_NULL)
			seal_json_set_copy(to, members[i], member);
	}
}

static bool
has_words(const struct inject_image *image, const char *member)
{
	const struct seal_json *list = seal_json_member(image->config, member);

	return list != NULL && seal_json_kind(list) == SEAL_JSON_ARRAY && seal_json_count(list) > 0;
}

bool
inject_image_runs(const struct inject_image *image)
{
	return has_words(image, "Entrypoint") || has_words(image, "Cmd");
}
