# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libbase.a
BASE_LIBS = %D%/libbase.a $(LIBEVENT_LIBS) $(YAML_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)

noinst_HEADERS += \
	%D%/err/err.h %D%/err/banned.h \
	%D%/bytes/bytes.h \
	%D%/secret/secret.h \
	%D%/log/log.h \
	%D%/fs/fs.h \
	%D%/json/json.h \
	%D%/yaml/yaml.h \
	%D%/config/config.h \
	%D%/names/names.h %D%/names/names_internal.h \
	%D%/crypto/crypto.h \
	%D%/jwe/jwe.h \
	%D%/x509/x509.h %D%/x509/verify.h %D%/x509/x509_internal.h \
	%D%/tls/tls.h \
	%D%/loop/loop.h %D%/loop/net.h %D%/loop/loop_internal.h \
	%D%/stream/stream.h %D%/stream/stream_internal.h \
	%D%/http/http.h %D%/http/health.h %D%/http/http_internal.h

%C%_libbase_a_SOURCES = \
	%D%/err/err.c \
	%D%/bytes/bytes.c %D%/bytes/encoding.c %D%/bytes/strv.c %D%/bytes/message.c \
	%D%/secret/secret.c \
	%D%/log/log.c \
	%D%/fs/fs.c \
	%D%/json/json.c \
	%D%/yaml/yaml.c \
	%D%/config/config.c \
	%D%/names/names.c %D%/names/identity.c %D%/names/numbers.c \
	%D%/crypto/crypto.c %D%/crypto/key.c %D%/crypto/csr.c \
	%D%/jwe/jwe.c \
	%D%/x509/cert.c %D%/x509/alt_names.c %D%/x509/issue.c %D%/x509/chain.c %D%/x509/peer.c %D%/x509/pkcs12.c \
	%D%/tls/tls.c \
	%D%/loop/loop.c %D%/loop/net.c %D%/loop/resolve.c \
	%D%/stream/stream.c %D%/stream/bio.c \
	%D%/http/parse.c %D%/http/target.c %D%/http/conn.c %D%/http/drive.c %D%/http/reply.c %D%/http/server.c %D%/http/health.c
