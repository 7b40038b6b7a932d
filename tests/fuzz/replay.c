/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A main for fuzz targets without a fuzzer: runs the target over every file of the folders (or the
 * files) named, so that any compiler can replay a corpus.  Fails when it found nothing to run.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1024u * 1024)

static unsigned played;

static void
play_file(const char *path)
{
	static uint8_t buf[INPUT_MAX];
	uint8_t *exact;
	size_t len;
	FILE *in = fopen(path, "rb");

	if (in == NULL) {
		perror(path);
		exit(1);
	}
	len = fread(buf, 1, sizeof(buf), in);
	(void)fclose(in);                  /* only read */
	exact = malloc(len > 0 ? len : 1); /* exactly as long, so that overruns are seen */
	if (exact == NULL)
		exit(1);
	memcpy(exact, buf, len);
	(void)LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	played++;
}

static void
play(const char *path)
{
	struct stat st;
	struct dirent *entry;
	char file[4096];
	DIR *dir;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
		play_file(path);
		return;
	}
	dir = opendir(path);
	if (dir == NULL) {
		perror(path);
		exit(1);
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		play_file(file);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		play(argv[i]);
	printf("%s: %u inputs\n", argv[0], played);
	return played > 0 ? 0 : 1;
}
