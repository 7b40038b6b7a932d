/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_ROT_CLI_INJECT_H
#define SEAL_ROT_CLI_INJECT_H

/*
 * What seal inject and seal unseal -f have in common: manifests read from files, folders and standard
 * input, values sealed and opened by the root of trust, the report, and the output.
 */

#include "rot/cli/cli.h"
#include "rot/inject/inject.h"

/* ---- inject_files.c ---- */

/* Manifests in the order in which they were named; all zero is none. */
struct cli_manifests {
	struct inject_input *inputs; /* names and texts are theirs */
	size_t count;
	size_t total; /* bytes of all texts */
};
void cli_manifests_release(struct cli_manifests *manifests);
/* A file, "-", or a folder, of which *.yaml, *.yml and *.json are read in the order of their names. */
SEAL_CHECKED int cli_manifests_read(struct cli_manifests *manifests, const struct seal_strv *paths,
				    bool recursive, struct seal_err *err);
/* May the output be written?  Asked before sealing, which makes stale what was sealed before. */
SEAL_CHECKED int cli_manifests_check(const struct cli *cli, struct seal_err *err);
/* To standard output, or whole into a file (replaced) that --out names. */
SEAL_CHECKED int cli_manifests_write(const struct cli *cli, const struct seal_bytes *out,
				     mode_t mode, struct seal_err *err);

/* ---- inject_images.c ---- */

#define CLI_MAX_IMAGES 256
struct cli_images {
	struct inject_image images[CLI_MAX_IMAGES];
	char *names[CLI_MAX_IMAGES];
	size_t count;
};
void cli_images_release(struct cli_images *images);
/* [NAME=]PATH: what skopeo inspect --config prints, or an OCI layout with one image. */
SEAL_CHECKED int cli_images_read(struct cli_images *images, const struct seal_strv *specs,
				 struct seal_err *err);

/* ---- inject_rot.c ---- */

/* For inject_options; arg is the struct cli. */
int cli_inject_seal(void *arg, struct inject_object *objects, size_t object_count,
		    struct seal_err *err);
int cli_inject_open(void *arg, struct inject_sealed *values, size_t value_count,
		    struct seal_err *err);

/* ---- inject_report.c ---- */

/* Notes for people on standard error: warnings, and what is in clear. */
void cli_report_notes(const struct inject_report *report);
/* The whole report, as --explain-format says. */
SEAL_CHECKED int cli_report_explain(const struct cli *cli, const struct inject_report *report,
				    FILE *to, struct seal_err *err);

#endif
