/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEAL_VERIFY_EVIDENCE_H
#define SEAL_VERIFY_EVIDENCE_H

/*
 * Files that are looked at because somebody else wrote them: opened once, judged on the descriptor before a
 * byte is read and after the last, and handed on from there.  What is wrong becomes a finding.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "config-verify/finding.h"

struct verify_evidence {
	int dirfd;
	const char *path; /* relative to it */
	const char *file; /* how findings call it */
	uint64_t resolve; /* RESOLVE_…, see openat2(2) */
	size_t max;       /* bytes; 0: it is not read, only what it is counts */
	bool may_be_absent;
};

/*
 * Append the file to out (whose maximum must not be less).  Returns 1; 0 when it is not there and may be
 * absent, or when there is a finding.  A FIFO or device is told by what it is, without waiting for anybody.
 */
SEAL_CHECKED int verify_evidence_read(const struct verify_evidence *evidence,
				      struct verify_findings *findings, struct seal_bytes *out,
				      struct seal_err *err);

/* Nothing is known of a file that could not be looked at for this reason: it is no finding about the file. */
bool verify_is_shortage(int errnum);

/*
 * Append all that the kernel writes into a file of /proc whose length it does not tell: read again until two
 * readings are equal, for it is written piece by piece.  Returns as above.
 */
SEAL_CHECKED int verify_evidence_read_table(int fd, const char *file, size_t max,
					    struct verify_findings *findings,
					    struct seal_bytes *out, struct seal_err *err);

#endif
