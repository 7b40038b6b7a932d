# SPDX-License-Identifier: Apache-2.0
noinst_LIBRARIES += %D%/libproxy.a
noinst_HEADERS += \
	%D%/proxy.h %D%/config_internal.h %D%/config_yaml.h %D%/limits.h %D%/options.h \
	%D%/admit.h %D%/announce.h %D%/address.h %D%/public.h %D%/follow.h \
	%D%/identity.h %D%/sleeper.h %D%/hatch.h %D%/hatch_internal.h %D%/sync.h %D%/credentials.h %D%/schedule.h \
	%D%/conn.h %D%/conn_internal.h %D%/known.h %D%/relay.h %D%/tally.h %D%/tally_internal.h \
	%D%/pool.h %D%/pool_internal.h %D%/dial.h %D%/race.h \
	%D%/worker.h %D%/doors.h %D%/porter.h %D%/capture.h \
	%D%/status.h %D%/table.h %D%/control.h \
	%D%/source.h %D%/serve.h %D%/keys.h %D%/sealed.h %D%/agent.h %D%/agent_internal.h \
	%D%/sandbox.h %D%/sandbox_internal.h
%C%_libproxy_a_SOURCES = \
	%D%/listener.c %D%/config.c %D%/config_rules.c %D%/config_spec.c %D%/config_yaml.c \
	%D%/config_values.c %D%/limits.c %D%/options.c %D%/options_configure.c \
	%D%/admit.c %D%/announce.c %D%/address.c %D%/public.c %D%/follow.c \
	%D%/state.c %D%/identity.c %D%/sleeper.c %D%/hatch.c %D%/hatch_sync.c %D%/sync.c %D%/credentials.c %D%/schedule.c \
	%D%/conn.c %D%/handshake.c %D%/legs.c %D%/conns.c %D%/unheard.c \
	%D%/known.c %D%/relay.c %D%/tally.c \
	%D%/pool.c %D%/pool_names.c %D%/dial.c %D%/race.c \
	%D%/worker.c %D%/doors.c %D%/porter.c %D%/capture.c \
	%D%/metrics.c %D%/status.c %D%/status_table.c %D%/table.c \
	%D%/source.c %D%/serve.c %D%/keys.c %D%/sealed.c %D%/agent.c %D%/agent_conn.c %D%/agent_ask.c \
	%D%/agent_suspect.c \
	%D%/control.c %D%/control_worker.c %D%/control_client.c \
	%D%/sandbox.c %D%/sandbox_calls.c %D%/sandbox_paths.c %D%/sandbox_trial.c

bin_PROGRAMS += seal-proxy
seal_proxy_SOURCES = %D%/main.c
seal_proxy_LDADD = %D%/libproxy.a $(ROT_CLIENT_LIBS)
