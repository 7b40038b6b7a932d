# SPDX-License-Identifier: Apache-2.0
if HAVE_CRITERION
include tests/support/local.mk
UNIT_LIBS = $(CRITERION_LIBS)
include tests/unit/base/local.mk
include tests/unit/config-verify/local.mk
include tests/unit/inject/local.mk
include tests/unit/egg/local.mk
include tests/unit/rot/local.mk
include tests/unit/proxy/local.mk
endif
include tests/fuzz/local.mk
include tests/bench/local.mk
include tests/e2e/local.mk
include tests/checks.mk
