# SPDX-License-Identifier: Apache-2.0
# Client side (messages and calls), server side (store, API, signer), and the two programs.
noinst_LIBRARIES += %D%/librotkv.a %D%/librotclient.a %D%/librotserver.a %D%/librotinject.a %D%/librotcli.a
ROT_CLIENT_LIBS = %D%/librotclient.a egg/libegg.a $(VERIFY_LIBS)
ROT_INJECT_LIBS = %D%/librotinject.a $(VERIFY_LIBS)
ROT_CLI_LIBS = %D%/librotcli.a %D%/librotinject.a $(ROT_SERVER_LIBS)
ROT_KV_LIBS = %D%/librotkv.a $(BASE_LIBS) $(SQLITE_LIBS) $(CURL_LIBS)
ROT_SERVER_LIBS = %D%/librotserver.a %D%/audit/librotaudit.a $(ROT_CLIENT_LIBS) $(ROT_KV_LIBS) -lm

noinst_HEADERS += \
	%D%/wire/wire.h %D%/wire/wire_internal.h %D%/client/client.h %D%/client/client_internal.h %D%/signer/signer.h \
	%D%/signer/signer_internal.h %D%/server/store.h %D%/server/store_internal.h %D%/server/init.h %D%/server/kek.h \
	%D%/server/place.h %D%/server/copy.h %D%/server/backup.h %D%/server/vault.h %D%/server/vault_internal.h \
	%D%/server/home.h %D%/server/limits.h %D%/server/caller.h %D%/server/news.h %D%/server/worker.h %D%/server/expiry.h \
	%D%/server/api.h %D%/server/api_internal.h %D%/server/server.h %D%/server/options.h %D%/server/metrics.h \
	%D%/server/html.h %D%/server/page.h %D%/server/page_internal.h %D%/server/graph.h %D%/server/graph_internal.h
noinst_HEADERS += %D%/kv/kv.h %D%/kv/kv_internal.h %D%/kv/db.h %D%/kv/pages.h %D%/kv/log.h %D%/kv/etcd_internal.h
%C%_librotkv_a_SOURCES = \
	%D%/kv/kv.c %D%/kv/db.c %D%/kv/pages.c %D%/kv/log.c %D%/kv/kv_sqlite.c %D%/kv/kv_etcd.c %D%/kv/etcd_commit.c \
	%D%/kv/etcd_range.c %D%/kv/etcd_journal.c %D%/kv/etcd_call.c %D%/kv/etcd_answer.c %D%/kv/etcd_http.c
%C%_librotclient_a_SOURCES = \
	%D%/wire/wire.c %D%/wire/credentials.c %D%/wire/sync.c %D%/client/client.c %D%/client/credentials.c %D%/client/sync.c \
	%D%/client/transfer.c
%C%_librotserver_a_SOURCES = \
	%D%/signer/signer.c %D%/signer/process.c %D%/signer/ca.c %D%/signer/issue.c %D%/signer/wrap.c %D%/signer/derive.c \
	%D%/signer/roots.c %D%/signer/heads.c %D%/signer/rekey.c %D%/signer/upkeep.c %D%/signer/confine.c %D%/server/store.c \
	%D%/server/store_record.c %D%/server/store_workload.c %D%/server/store_egg.c %D%/server/store_cert.c \
	%D%/server/store_ca.c %D%/server/store_holder.c %D%/server/store_clock.c %D%/server/store_news.c \
	%D%/server/store_revoke.c %D%/server/store_certs.c %D%/server/store_root.c %D%/server/store_object.c \
	%D%/server/store_operator.c %D%/server/store_sweep.c %D%/server/store_audit.c %D%/server/store_migrate.c \
	%D%/server/store_kek.c %D%/server/store_restored.c %D%/server/place.c %D%/server/copy.c %D%/server/backup.c \
	%D%/server/vault.c %D%/server/restore.c %D%/server/migrate.c %D%/server/rekey.c %D%/server/kek_ask.c %D%/server/kek.c \
	%D%/server/home.c %D%/server/init.c %D%/server/limits.c %D%/server/caller.c %D%/server/issue.c %D%/server/request.c \
	%D%/server/api.c %D%/server/status.c %D%/server/workloads.c %D%/server/peers.c %D%/server/eggs.c \
	%D%/server/operators.c %D%/server/cas.c %D%/server/keys.c %D%/server/seal.c %D%/server/unseal.c %D%/server/certs.c \
	%D%/server/hatch.c %D%/server/sync.c %D%/server/news.c %D%/server/worker.c %D%/server/batch.c %D%/server/audit.c \
	%D%/server/audit_note.c %D%/server/upkeep.c %D%/server/clock.c %D%/server/expiry.c %D%/server/look.c \
	%D%/server/metrics.c %D%/server/html.c %D%/server/graph.c %D%/server/graph_layout.c %D%/server/page.c \
	%D%/server/page_parts.c %D%/server/page_audit.c %D%/server/page_style.c %D%/server/page_door.c \
	%D%/server/store_watch.c %D%/server/server.c %D%/server/options.c

noinst_HEADERS += %D%/inject/inject.h %D%/inject/inject_internal.h %D%/inject/kata.h %D%/inject/kata_internal.h
%C%_librotinject_a_SOURCES = \
	%D%/inject/manifest.c %D%/inject/item.c %D%/inject/rules.c %D%/inject/report.c %D%/inject/plan.c %D%/inject/seen.c \
	%D%/inject/base64.c %D%/inject/again.c %D%/inject/object.c %D%/inject/restore.c %D%/inject/restore_object.c \
	%D%/inject/shape.c %D%/inject/unknown.c %D%/inject/pod.c %D%/inject/container.c %D%/inject/env.c %D%/inject/mounts.c \
	%D%/inject/volumes.c %D%/inject/contents.c %D%/inject/probes.c %D%/inject/images.c %D%/inject/listeners.c \
	%D%/inject/public.c %D%/inject/sidecar.c %D%/inject/pins.c %D%/inject/policy.c %D%/inject/policy_pod.c \
	%D%/inject/policy_report.c %D%/inject/restore_pod.c %D%/inject/depends.c %D%/inject/kata.c %D%/inject/kata_parts.c \
	%D%/inject/kata_rules.c %D%/inject/kata_rego.c %D%/inject/kata_initdata.c

noinst_HEADERS += %D%/cli/cli.h %D%/cli/inject.h %D%/cli/complete.h
%C%_librotcli_a_SOURCES = \
	%D%/cli/run.c %D%/cli/verbs.c %D%/cli/help.c %D%/cli/connect.c %D%/cli/output.c %D%/cli/yaml.c %D%/cli/files.c \
	%D%/cli/subject.c %D%/cli/credential.c %D%/cli/profile.c %D%/cli/operator.c %D%/cli/complete.c %D%/cli/completion.c \
	%D%/cli/init.c %D%/cli/store.c %D%/cli/workload.c %D%/cli/rotate.c %D%/cli/egg.c %D%/cli/token.c %D%/cli/sealing.c \
	%D%/cli/cert.c %D%/cli/cert_list.c %D%/cli/audit.c %D%/cli/audit_source.c %D%/cli/audit_verify.c %D%/cli/audit_seen.c \
	%D%/cli/inject.c %D%/cli/inject_files.c %D%/cli/inject_images.c %D%/cli/inject_rot.c %D%/cli/inject_report.c \
	%D%/cli/policy.c

# Enrolment of clients outside.
noinst_HEADERS += %D%/server/est.h %D%/server/est_internal.h %D%/server/est_serve.h
%C%_librotserver_a_SOURCES += \
	%D%/server/store_enrol.c %D%/server/store_enrols.c %D%/server/enrol.c %D%/server/est.c %D%/server/est_enrol.c \
	%D%/server/est_serve.c
%C%_librotcli_a_SOURCES += %D%/cli/enrol.c

%C%_librotcli_a_SOURCES += %D%/cli/offer.c

bin_PROGRAMS += seal
sbin_PROGRAMS += seal-rot
seal_SOURCES = %D%/cli/main.c
seal_LDADD = $(ROT_CLI_LIBS)
seal_rot_SOURCES = %D%/server/main.c
seal_rot_LDADD = $(ROT_SERVER_LIBS)

# kubectl finds its plugins by their names: "kubectl seal" is this link.
install-exec-hook:
	$(MKDIR_P) "$(DESTDIR)$(bindir)"
	cd "$(DESTDIR)$(bindir)" && ln -s -f seal$(EXEEXT) kubectl-seal$(EXEEXT)
uninstall-hook:
	rm -f "$(DESTDIR)$(bindir)/kubectl-seal$(EXEEXT)"
