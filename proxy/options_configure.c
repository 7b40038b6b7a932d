/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a command line becomes a configuration: the file first, then the options, which have the last
 * word, then the rules over the whole.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fs/fs.h"
#include "config-verify/agent.h"
#include "proxy/config_internal.h"
#include "proxy/options.h"

static int
read_log(const struct proxy_options *options, enum seal_level *level, bool *json,
	 struct seal_err *err)
{
	const char *format = options->log_format;

	if (format != NULL && strcmp(format, "json") != 0 && strcmp(format, "text") != 0)
		return seal_fail(err, SEAL_E_USAGE, "--log-format: '%s' is neither text nor json",
				 format);
	if (options->log_level != NULL && seal_level_parse(level, options->log_level, err) < 0)
		return seal_note(err, SEAL_E_USAGE, "--log-level");
	if (format != NULL)
		*json = format[0] == 'j';
	return 0;
}

int
proxy_options_log(const struct proxy_options *options, enum seal_level *ret_level, bool *ret_json,
		  struct seal_err *err)
{
	enum seal_level level = SEAL_LOG_INFO;
	bool json = false;
	int r = read_log(options, &level, &json, err);

	if (r < 0)
		return r;
	*ret_level = level;
	*ret_json = json;
	return 0;
}

bool
proxy_options_has_listeners(const struct proxy_options *options)
{
	return options->config != NULL || options->inbound.count > 0 ||
	       options->outbound.count > 0 || options->public.count > 0;
}

static int
add_file(struct proxy_config *config, const char *path, struct seal_err *err)
{
	SEAL_SCOPED(seal_bytes_release) struct seal_bytes text = SEAL_BYTES(PROXY_MAX_CONFIG);
	int r = seal_fs_read_stable(&text, AT_FDCWD, path, PROXY_MAX_CONFIG, err);

	if (r < 0)
		return seal_note(err, r, "--config");
	return proxy_config_add_yaml(config, path, seal_bytes_str(&text), text.len, err);
}

static int
add_listeners(struct proxy_config *config, const struct proxy_options *options,
	      struct seal_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->inbound.count; i++)
		r = proxy_config_add_inbound(config, options->inbound.items[i], err);
	for (size_t i = 0; r == 0 && i < options->outbound.count; i++)
		r = proxy_config_add_outbound(config, options->outbound.items[i], err);
	for (size_t i = 0; r == 0 && i < options->public.count; i++)
		r = proxy_config_add_public(config, options->public.items[i], options->certificate,
					    options->key, options->client_ca, err);
	return r;
}

/*
 * The one who may ask is who runs us: the socket is where only that one can put it.  In a pod that is one
 * place for every user, and no variable of the host's names another.
 */
static int
set_default_control(struct proxy_config *config, bool in_pod, struct seal_err *err)
{
	const bool fixed = in_pod || geteuid() == 0;
	const char *folder = fixed ? "/run/seal" : secure_getenv("XDG_RUNTIME_DIR");
	const char *name = fixed ? "proxy.sock" : "seal-proxy.sock";
	struct seal_endpoint endpoint = { 0 };
	char text[sizeof(endpoint.host) + 64];
	int len;
	int r;

	if (folder == NULL)
		return 0;
	len = snprintf(text, sizeof(text), "unix:%s/%s", folder, name);
	/* A folder that can be no socket's is as good as none. */
	if (len < 0 || (size_t)len >= sizeof(text) ||
	    seal_endpoint_parse(&endpoint, text, NULL, NULL) < 0)
		return 0;
	r = proxy_config_set_address(config, PROXY_CONTROL, text,
				     "--control (the default; it can be off)", err);
	config->control_explicit = false;
	return r;
}

static int
set_addresses(struct proxy_config *config, const struct proxy_options *options,
	      struct seal_err *err)
{
	const struct {
		enum proxy_address which;
		const char *flag;
		const char *text;
	} given[] = {
		{ PROXY_CAPTURE, "--capture", options->capture },
		{ PROXY_CONTROL, "--control", options->control },
		{ PROXY_HEALTH, "--health", options->health },
		{ PROXY_METRICS, "--metrics", options->metrics },
	};

	for (size_t i = 0; i < SEAL_COUNT(given); i++) {
		int r = given[i].text == NULL
				? 0
				: proxy_config_set_address(config, given[i].which, given[i].text,
							   given[i].flag, err);

		if (r < 0)
			return seal_note(err, r, "%s", given[i].flag);
	}
	return config->control_explicit ? 0 : set_default_control(config, false, err);
}

static void
set_number(uint32_t *at, uint64_t given, uint32_t unit)
{
	if (given != PROXY_NOT_GIVEN)
		*at = (uint32_t)given * unit; /* the table's ranges see to it that it fits */
}

static int
set_numbers(struct proxy_config *config, const struct proxy_options *options, struct seal_err *err)
{
	int r = 0;

	set_number(&config->handshake_ms, options->handshake_timeout, 1000);
	set_number(&config->connect_ms, options->connect_timeout, 1000);
	set_number(&config->drain_ms, options->drain_timeout, 1000);
	set_number(&config->limits.connections, options->max_connections, 1);
	set_number(&config->limits.handshakes, options->max_handshakes, 1);
	set_number(&config->limits.per_peer, options->max_per_peer, 1);
	set_number(&config->limits.per_source, options->max_per_source, 1);
	set_number(&config->limits.sessions, options->max_sessions, 1);
	if (options->idle_timeout != NULL)
		r = proxy_idle_parse(options->idle_timeout, &config->idle_ms, err);
	if (r == 0 && options->max_memory != NULL)
		r = proxy_memory_parse(options->max_memory, &config->limits.memory, err);
	return r;
}

int
proxy_options_configure(const struct proxy_options *options, struct proxy_config **ret_config,
			struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	int r;

	if (!proxy_options_has_listeners(options))
		return seal_fail(err, SEAL_E_USAGE,
				 "no listener: give --inbound, --outbound, --public, --config or "
				 "--sealed-config, see --help");
	r = proxy_config_new(&config, err);
	if (r == 0 && options->config != NULL)
		r = add_file(config, options->config, err);
	if (r == 0)
		r = add_listeners(config, options, err);
	if (r == 0)
		r = set_addresses(config, options, err);
	if (r == 0)
		r = set_numbers(config, options, err);
	if (r == 0)
		r = read_log(options, &config->log_level, &config->log_json, err);
	if (r == 0)
		r = proxy_config_check(config, options->credentials != NULL, err);
	if (r == 0 && options->command == PROXY_CAPTURE_RULES && !config->capture.enabled)
		r = seal_fail(err, SEAL_E_FORMAT,
			      "nothing is captured: give --capture or 'capture' in a file");
	if (r == 0 && config->has_agent)
		r = seal_fail(err, SEAL_E_REFUSED,
			      "%s: there is an agent with a sealed configuration only",
			      config->agent_origin);
	if (r < 0)
		return r;
	*ret_config = SEAL_TAKE(config);
	return 0;
}

#define SEALED_NAME "the sealed configuration"

/*
 * What is wrong with it may quote it, and everybody who runs us reads the log.  The place is enough for
 * whoever can read the original.
 */
static int
hide_quotes(const struct seal_err *why, int r, struct seal_err *err)
{
	unsigned line = 0;
	unsigned column = 0;

	if (sscanf(why->text, SEALED_NAME ":%u:%u:", &line, &column) == 2)
		return seal_fail(err, r,
				 SEALED_NAME " has a mistake at %u:%u of its JSON: look at the "
					     "original with seal-proxy --check",
				 line, column);
	return seal_fail(err, r,
			 SEALED_NAME " cannot be served (%s): look at the original with "
				     "seal-proxy --check",
			 seal_code_name(r));
}

static int
set_default_agent(struct proxy_config *config, struct seal_err *err)
{
	if (config->agent_explicit)
		return 0;
	return proxy_config_set_address(config, PROXY_AGENT, "unix:" VERIFY_AGENT_PATH,
					"agent (the default; it can be off)", err);
}

int
proxy_options_configure_sealed(const struct proxy_options *options, const char *text,
			       size_t text_len, struct proxy_config **ret_config,
			       struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	struct seal_err why = { 0 };
	int r = proxy_config_new(&config, &why);

	if (r == 0)
		r = proxy_config_add_yaml(config, SEALED_NAME, text, text_len, &why);
	if (r == 0 && !config->control_explicit)
		r = set_default_control(config, true, &why);
	if (r == 0)
		r = set_default_agent(config, &why);
	if (r == 0)
		r = proxy_config_check(config, false, &why);
	if (r < 0)
		return hide_quotes(&why, r, err);
	r = read_log(options, &config->log_level, &config->log_json, err);
	if (r < 0)
		return r;
	*ret_config = SEAL_TAKE(config);
	return 0;
}

int
proxy_options_control(const struct proxy_options *options, struct seal_endpoint *ret_control,
		      struct seal_err *err)
{
	SEAL_SCOPED(proxy_config_freep) struct proxy_config *config = NULL;
	int r = proxy_config_new(&config, err);

	if (r < 0)
		return r;
	if (options->control == NULL)
		r = set_default_control(config, secure_getenv("XDG_RUNTIME_DIR") == NULL, err);
	else if (proxy_config_set_address(config, PROXY_CONTROL, options->control, "--control",
					  err) < 0)
		r = seal_note(err, SEAL_E_USAGE, "--control");
	if (r == 0 && !config->has_control)
		r = seal_fail(err, SEAL_E_USAGE,
			      "which seal-proxy? give its socket: --control unix:PATH");
	if (r < 0)
		return r;
	*ret_control = config->control;
	return 0;
}
