#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything that reads or uses elliptic keys, once more with the shortcut of base/tls/shortcut.c taken before
# anything else: certificates must be verified, and refused, exactly as without.
SEAL_TEST_SHORTCUT=1 exec tests/unit/base_tests \
	--filter '@(crypto_*|jwe|verify_*|peer_cache|x509_subject|stream|tls*|http_tls|wycheproof)/*'
