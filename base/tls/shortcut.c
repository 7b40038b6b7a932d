/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 3.0 and 3.1 read the public key of a certificate with a search through all decoders of all
 * providers, and use it with a fetch through all of theirs: a third of a full handshake.  Only when an
 * ENGINE speaks for a kind of key do they take the plain road of earlier versions, so there is one that
 * speaks for elliptic keys and hands back the library's own methods.  The code that decodes a point
 * and checks that it is on its curve, and the code that signs and verifies, are the same either way;
 * what is left out is the finding of it.
 *
 * Everything here is deprecated, and all of it is in this file.  Later versions keep what they have
 * found, and need none of this.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>

#include "base/tls/tls.h"

#if OPENSSL_VERSION_NUMBER < 0x30200000L && !defined(OPENSSL_NO_ENGINE)

#include <openssl/engine.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static const int kinds[] = { NID_X9_62_id_ecPublicKey };

/* The library asks which kinds (no method wanted), or for the method of one. */
static int
give_method(ENGINE *engine, EVP_PKEY_METHOD **ret_method, const int **ret_kinds, int kind)
{
	(void)engine;
	if (ret_method == NULL) {
		*ret_kinds = kinds;
		return (int)SEAL_COUNT(kinds);
	}
	if (kind != kinds[0])
		return 0;
	/* Its own: nobody writes to it, and it is not one that the engine would free. */
	*ret_method = (EVP_PKEY_METHOD *)(uintptr_t)EVP_PKEY_meth_find(kind);
	return *ret_method != NULL;
}

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static ENGINE *engine; /* for the life of the process */
static bool taken;

static void
install(void)
{
	if (OpenSSL_version_num() >= 0x30200000L) /* what we run with may be later */
		return;
	/* Where somebody insists on FIPS, the plain road would go around it. */
	if (EVP_default_properties_is_fips_enabled(NULL) == 1)
		return;
	engine = ENGINE_new();
	if (engine != NULL && ENGINE_set_id(engine, "seal") == 1 &&
	    ENGINE_set_name(engine, "elliptic keys without a search") == 1 &&
	    ENGINE_set_pkey_meths(engine, give_method) == 1)
		taken = ENGINE_register_pkey_meths(engine) == 1;
	ERR_clear_error(); /* then it is the long way round */
}

bool
seal_tls_shortcut(void)
{
	return CRYPTO_THREAD_run_once(&once, install) == 1 && taken;
}

#else

bool
seal_tls_shortcut(void)
{
	return false;
}

#endif
