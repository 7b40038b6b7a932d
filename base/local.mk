# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libbase.a
BASE_LIBS = %D%/libbase.a $(LIBEVENT_LIBS) $(YAML_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)

noinst_HEADERS += \
	%D%/err/err.h %D%/err/banned.h %D%/bytes/bytes.h %D%/bytes/lru.h %D%/bytes/slab.h %D%/secret/secret.h \
	%D%/secret/secret_internal.h %D%/log/log.h %D%/metrics/metrics.h %D%/metrics/usage.h %D%/fs/fs.h %D%/json/json.h \
	%D%/json/json_internal.h %D%/yaml/yaml.h %D%/yaml/yaml_internal.h %D%/yaml/tree.h %D%/yaml/tree_internal.h \
	%D%/yaml/tree_build.h %D%/yaml/tree_pairs.h %D%/config/config.h %D%/confine/confine.h %D%/confine/confine_internal.h \
	%D%/names/names.h %D%/names/names_internal.h %D%/crypto/crypto.h %D%/jwe/jwe.h %D%/x509/x509.h %D%/x509/verify.h \
	%D%/x509/x509_internal.h %D%/tls/tls.h %D%/tls/tls_internal.h %D%/tls/room.h %D%/tls/remember.h %D%/loop/loop.h \
	%D%/loop/net.h %D%/loop/loop_internal.h %D%/stream/stream.h %D%/stream/stream_internal.h %D%/http/http.h \
	%D%/http/ask.h %D%/http/health.h %D%/http/http_internal.h

%C%_libbase_a_SOURCES = \
	%D%/err/err.c %D%/bytes/bytes.c %D%/bytes/encoding.c %D%/bytes/base64.c %D%/bytes/strv.c %D%/bytes/message.c \
	%D%/bytes/lru.c %D%/bytes/slab.c %D%/secret/secret.c %D%/secret/slots.c %D%/log/log.c %D%/metrics/metrics.c \
	%D%/metrics/usage.c %D%/fs/fs.c %D%/json/json.c %D%/json/build.c %D%/yaml/yaml.c %D%/yaml/parse.c %D%/yaml/tree.c \
	%D%/yaml/tree_memory.c %D%/yaml/tree_stream.c %D%/yaml/tree_pairs.c %D%/yaml/tree_build.c %D%/yaml/tree_map.c \
	%D%/yaml/tree_scalar.c %D%/yaml/tree_text.c %D%/yaml/tree_edit.c %D%/yaml/tree_json.c %D%/yaml/tree_write.c \
	%D%/config/config.c %D%/confine/calls.c %D%/confine/files.c %D%/confine/privileges.c %D%/names/names.c \
	%D%/names/identity.c %D%/names/numbers.c %D%/names/spec.c %D%/crypto/crypto.c %D%/crypto/digest.c %D%/crypto/scrypt.c %D%/crypto/key.c %D%/crypto/sign.c \
	%D%/crypto/csr.c %D%/jwe/jwe.c %D%/x509/cert.c %D%/x509/alt_names.c %D%/x509/issue.c %D%/x509/chain.c %D%/x509/peer.c \
	%D%/x509/peer_cache.c %D%/x509/subject.c %D%/x509/pkcs12.c %D%/x509/pkcs7.c %D%/tls/tls.c %D%/tls/session.c \
	%D%/tls/ticket.c %D%/tls/remember.c %D%/tls/record.c %D%/tls/choose.c %D%/tls/shortcut.c %D%/loop/loop.c \
	%D%/loop/cells.c %D%/loop/net.c %D%/loop/resolve.c %D%/loop/addresses.c %D%/loop/hosts.c %D%/loop/servers.c \
	%D%/stream/stream.c %D%/stream/bio.c %D%/http/parse.c %D%/http/target.c %D%/http/conn.c %D%/http/drive.c \
	%D%/http/reply.c %D%/http/server.c %D%/http/health.c %D%/http/head.c %D%/http/ask.c %D%/http/answer.c \
	%D%/http/connect.c %D%/http/wait.c
