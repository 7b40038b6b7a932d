/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy as text.  It is read by Rego as it was before version 1 and as it is since.  What comes from a
 * manifest stands in the data at the end, in strings that nothing can leave.
 *
 * What the host may ask is denied unless it is needed to run the pod; the names are those of the agent's
 * requests, and the rules read the members that requests have in the agent's own protocol.
 */
#include <stdio.h>
#include <string.h>

#include "rot/inject/kata_internal.h"

enum answer { NO, YES, BY_RULE, LOGS };

static const struct {
	const char *request;
	enum answer answer;
} requests[] = {
	{ "AddARPNeighborsRequest", BY_RULE },
	{ "AddSwapPathRequest", NO },
	{ "AddSwapRequest", NO },
	{ "CloseStdinRequest", NO },
	{ "CopyFileRequest", BY_RULE },
	{ "CreateContainerRequest", BY_RULE },
	{ "CreateSandboxRequest", BY_RULE },
	{ "DestroySandboxRequest", YES },
	{ "ExecProcessRequest", BY_RULE },
	{ "GetIPTablesRequest", NO },
	{ "GetMetricsRequest", NO },
	{ "GetOOMEventRequest", YES },
	{ "GuestDetailsRequest", YES },
	{ "ListInterfacesRequest", NO },
	{ "ListRoutesRequest", NO },
	{ "MemAgentCompactConfig", NO },
	{ "MemAgentMemcgConfig", NO },
	{ "MemHotplugByProbeRequest", NO },
	{ "OnlineCPUMemRequest", YES },
	{ "PauseContainerRequest", NO },
	{ "PullImageRequest", NO },
	{ "ReadStreamRequest", LOGS },
	{ "RemoveContainerRequest", YES },
	{ "RemoveStaleVirtiofsShareMountsRequest", YES },
	{ "ReseedRandomDevRequest", NO },
	{ "ResizeVolumeRequest", NO },
	{ "ResumeContainerRequest", NO },
	{ "SetGuestDateTimeRequest", NO },
	{ "SetIPTablesRequest", NO },
	{ "SetPolicyRequest", NO },
	{ "SignalProcessRequest", BY_RULE },
	{ "StartContainerRequest", YES },
	{ "StartTracingRequest", NO },
	{ "StatsContainerRequest", YES },
	{ "StopTracingRequest", NO },
	{ "TtyWinResizeRequest", NO },
	{ "UpdateContainerRequest", NO },
	{ "UpdateEphemeralMountsRequest", NO },
	{ "UpdateInterfaceRequest", BY_RULE },
	{ "UpdateRoutesRequest", BY_RULE },
	{ "VolumeStatsRequest", NO },
	{ "WaitProcessRequest", YES },
	{ "WriteStreamRequest", NO },
};

static const char head[] = "# Written by seal policy kata from an injected manifest.\n"
			   "package agent_policy\n"
			   "\n"
			   "import future.keywords.every\n"
			   "import future.keywords.if\n"
			   "import future.keywords.in\n"
			   "\n"
			   "# What breaks the policy is not allowed either.\n"
			   "default AllowRequestsFailingPolicy := false\n"
			   "\n";

static const char rules[] =
	"\n"
	"# ---- The sandbox: no hooks, no kernel modules, mounts where no image is ----\n"
	"\n"
	"CreateSandboxRequest if {\n"
	"\tobject.get(input, \"guest_hook_path\", \"\") == \"\"\n"
	"\tcount(object.get(input, \"kernel_modules\", [])) == 0\n"
	"\tstorages := object.get(input, \"storages\", [])\n"
	"\tevery storage in storages {\n"
	"\t\tallows_shared(storage.mount_point)\n"
	"\t}\n"
	"}\n"
	"\n"
	"allows_shared(path) if {\n"
	"\tis_of_sandbox(path)\n"
	"}\n"
	"\n"
	"allows_shared(path) if {\n"
	"\tregex.match(`^/run/kata-containers/shared/containers(/passthrough)?/?$`, path)\n"
	"}\n"
	"\n"
	"is_of_sandbox(path) if {\n"
	"\tregex.match(`^/run/kata-containers/sandbox/[^/]`, path)\n"
	"\tcontains(path, \"..\") == false\n"
	"}\n"
	"\n"
	"# ---- Containers: the pause container, and those of the manifest ----\n"
	"\n"
	"CreateContainerRequest if {\n"
	"\tis_plain\n"
	"\tis_sandbox\n"
	"}\n"
	"\n"
	"CreateContainerRequest if {\n"
	"\tis_plain\n"
	"\tcontainer_type == \"container\"\n"
	"\tsome container in policy_data.containers\n"
	"\tis_container(container)\n"
	"}\n"
	"\n"
	"container_type := object.get(input.OCI.Annotations, \"io.kubernetes.cri.container-type\", "
	"object.get(input.OCI.Annotations, \"io.kubernetes.cri-o.ContainerType\", \"\"))\n"
	"\n"
	"is_plain if {\n"
	"\tis_null(object.get(input.OCI, \"Hooks\", null))\n"
	"\tcount(object.get(input, \"shared_mounts\", [])) == 0\n"
	"\tobject.get(input, \"sandbox_pidns\", false) == policy_data.shared_pids\n"
	"\tis_root(input.OCI.Root.Path)\n"
	"\tstorages := object.get(input, \"storages\", [])\n"
	"\tevery storage in storages {\n"
	"\t\tallows_place(storage.mount_point)\n"
	"\t}\n"
	"\tsysctls := object.get(input.OCI.Linux, \"Sysctl\", {})\n"
	"\tevery name, value in sysctls {\n"
	"\t\tobject.get(policy_data.sysctls, name, false) == value\n"
	"\t}\n"
	"}\n"
	"\n"
	"# Where images are, and no file of a volume can be copied to.\n"
	"is_root(path) if {\n"
	"\tregex.match(`^/run/kata-containers/(shared/containers/(passthrough/)?)?"
	"[a-z0-9]{64}/rootfs$`, path)\n"
	"}\n"
	"\n"
	"# An image, or a volume: nothing within an image, and nothing above one but a device with "
	"it.\n"
	"allows_place(path) if {\n"
	"\tis_root(path)\n"
	"}\n"
	"\n"
	"# A device that has the directory rootfs, as snapshotters make them.\n"
	"allows_place(path) if {\n"
	"\tregex.match(`^/run/kata-containers/shared/containers/(passthrough/)?[a-z0-9]{64}$`, "
	"path)\n"
	"}\n"
	"\n"
	"allows_place(path) if {\n"
	"\tis_of_sandbox(path)\n"
	"}\n"
	"\n"
	"allows_place(path) if {\n"
	"\tregex.match(`^/run/kata-containers/shared/containers/((passthrough|watchable)/)?"
	"([a-z0-9]{64}-[a-z0-9]{16}-|[a-z0-9]{64}/(rootfs/)?local/)[^/]+$`, path)\n"
	"\tendswith(path, \"/..\") == false\n"
	"}\n"
	"\n"
	"is_sandbox if {\n"
	"\tcontainer_type == \"sandbox\"\n"
	"\tinput.OCI.Process.Args == [\"/pause\"]\n"
	"\tevery mount in input.OCI.Mounts {\n"
	"\t\tmount.destination in system_mounts\n"
	"\t}\n"
	"\tstorages := object.get(input, \"storages\", [])\n"
	"\tevery storage in storages {\n"
	"\t\tallows_pause(storage)\n"
	"\t}\n"
	"}\n"
	"\n"
	"allows_pause(storage) if {\n"
	"\tstorage.driver != \"image_guest_pull\"\n"
	"}\n"
	"\n"
	"allows_pause(storage) if {\n"
	"\tstorage.source == \"pause\"\n"
	"}\n"
	"\n"
	"is_container(container) if {\n"
	"\tinput.OCI.Process.Args == container.args\n"
	"\tevery mount in input.OCI.Mounts {\n"
	"\t\tallows_mount(container, mount)\n"
	"\t}\n"
	"\tevery variable in input.OCI.Process.Env {\n"
	"\t\tallows_variable(container, variable)\n"
	"\t}\n"
	"\tstorages := object.get(input, \"storages\", [])\n"
	"\tevery storage in storages {\n"
	"\t\tallows_storage(container, storage)\n"
	"\t}\n"
	"\tallows_user(container)\n"
	"}\n"
	"\n"
	"# Nothing is mounted over what the image brings: seal-wrap and the token, among others.\n"
	"allows_mount(container, mount) if {\n"
	"\tmount.destination in container.mounts\n"
	"}\n"
	"\n"
	"allows_mount(_, mount) if {\n"
	"\tmount.destination in system_mounts\n"
	"}\n"
	"\n"
	"# seal-wrap decides about variables itself; the sidecar has those of the manifest and of "
	"Kubernetes.\n"
	"allows_variable(container, _) if {\n"
	"\tcontainer.any_variable == true\n"
	"}\n"
	"\n"
	"allows_variable(container, variable) if {\n"
	"\tvariable in container.variables\n"
	"}\n"
	"\n"
	"allows_variable(_, variable) if {\n"
	"\tregex.match(`^(PATH|HOME|HOSTNAME|TERM|SSL_CERT_FILE|[A-Z_][A-Z0-9_]*_SERVICE_(HOST|PORT"
	"(_[A-Z0-9_]+)?)|[A-Z_][A-Z0-9_]*_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)=`, "
	"variable)\n"
	"}\n"
	"\n"
	"# Images that the manifest names by digest, and that are pulled in the enclave.\n"
	"allows_storage(_, storage) if {\n"
	"\tstorage.driver != \"image_guest_pull\"\n"
	"}\n"
	"\n"
	"allows_storage(container, storage) if {\n"
	"\tendswith(storage.source, container.digest)\n"
	"}\n"
	"\n"
	"allows_user(container) if {\n"
	"\tcontainer.user < 0\n"
	"}\n"
	"\n"
	"allows_user(container) if {\n"
	"\tinput.OCI.Process.User.UID == container.user\n"
	"}\n"
	"\n"
	"# ---- Commands in containers: probes and hooks of the manifest, byte for byte ----\n"
	"\n"
	"ExecProcessRequest if {\n"
	"\tinput.process.Args in policy_data.execs\n"
	"\tobject.get(input.process, \"Terminal\", false) == false\n"
	"}\n"
	"\n"
	"# ---- Files of volumes, where the agent keeps them and nowhere else ----\n"
	"\n"
	"CopyFileRequest if {\n"
	"\tregex.match(`^/run/kata-containers/shared/containers(/passthrough)?/"
	"[a-z0-9]{64}-[a-z0-9]{16}-[^/]+(/.*)?$`, input.path)\n"
	"\tstays_below(input.path)\n"
	"\tallows_link(object.get(input, \"symlink_src\", \"\"))\n"
	"}\n"
	"\n"
	"allows_link(target) if {\n"
	"\tis_null(target)\n"
	"}\n"
	"\n"
	"allows_link(target) if {\n"
	"\tstartswith(target, \"/\") == false\n"
	"\tstays_below(target)\n"
	"}\n"
	"\n"
	"# Kubernetes has names like ..data.\n"
	"stays_below(path) if {\n"
	"\tcontains(path, \"../\") == false\n"
	"\tendswith(path, \"/..\") == false\n"
	"\tpath != \"..\"\n"
	"}\n"
	"\n"
	"# ---- The network, but for the loopback, where plaintext is ----\n"
	"\n"
	"UpdateInterfaceRequest if {\n"
	"\tinput.interface.name != \"lo\"\n"
	"\tinput.interface.device != \"lo\"\n"
	"\tis_card(input.interface.hwAddr)\n"
	"}\n"
	"\n"
	"# The agent finds an interface by this address alone, and that of the loopback is all "
	"zeros.\n"
	"is_card(address) if {\n"
	"\tregex.match(`^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$`, address)\n"
	"\taddress != \"00:00:00:00:00:00\"\n"
	"}\n"
	"\n"
	"UpdateRoutesRequest if {\n"
	"\tevery route in input.routes.Routes {\n"
	"\t\troute.device != \"lo\"\n"
	"\t\tstartswith(route.dest, \"127.\") == false\n"
	"\t\tstartswith(route.dest, \"::1\") == false\n"
	"\t}\n"
	"}\n"
	"\n"
	"# Who is stopped cannot look: hangup, interrupt, quit, kill, user, terminate, window.\n"
	"SignalProcessRequest if {\n"
	"\tinput.signal in [1, 2, 3, 9, 10, 12, 15, 28]\n"
	"}\n"
	"\n"
	"AddARPNeighborsRequest if {\n"
	"\tevery neighbor in input.neighbors.ARPNeighbors {\n"
	"\t\tneighbor.device != \"lo\"\n"
	"\t}\n"
	"}\n"
	"\n"
	"# What kubelet and the runtime mount into every container.\n"
	"system_mounts := [\n"
	"\t\"/dev\",\n"
	"\t\"/dev/mqueue\",\n"
	"\t\"/dev/pts\",\n"
	"\t\"/dev/shm\",\n"
	"\t\"/dev/termination-log\",\n"
	"\t\"/etc/hostname\",\n"
	"\t\"/etc/hosts\",\n"
	"\t\"/etc/resolv.conf\",\n"
	"\t\"/proc\",\n"
	"\t\"/run/.containerenv\",\n"
	"\t\"/run/secrets\",\n"
	"\t\"/run/secrets/kubernetes.io/serviceaccount\",\n"
	"\t\"/sys\",\n"
	"\t\"/sys/fs/cgroup\",\n"
	"\t\"/var/run/secrets/kubernetes.io/serviceaccount\",\n"
	"]\n"
	"\n"
	"# ---- The manifest ----\n"
	"\n"
	"policy_data := ";

/* ---- Strings ---- */

/* The next character of text, which is UTF-8 as YAML gives it; what is not becomes U+FFFD. */
static uint32_t
next_character(const char **text)
{
	const uint8_t *at = (const uint8_t *)*text;
	unsigned more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
	uint32_t code = more == 0 ? at[0] : at[0] & (0x3fu >> more);

	for (unsigned i = 1; i <= more; i++) {
		if ((at[i] & 0xc0) != 0x80 || at[0] < 0xc2) {
			(*text)++;
			return 0xfffd;
		}
		code = code << 6 | (at[i] & 0x3f);
	}
	*text += more + 1;
	return code;
}

static bool
is_harmless(uint32_t code)
{
	return (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') ||
	       (code >= '0' && code <= '9') ||
	       (code > 0 && code < 0x80 && strchr(" +,-./:=@_", (int)code) != NULL);
}

int
kata_rego_string(struct seal_bytes *out, const char *text, struct seal_err *err)
{
	int r = seal_bytes_append_str(out, "\"", err);

	while (r == 0 && *text != '\0') {
		uint32_t code = next_character(&text);

		if (is_harmless(code))
			r = seal_bytes_append_fmt(out, err, "%c", (char)code);
		else if (code < 0x10000)
			r = seal_bytes_append_fmt(out, err, "\\u%04x", code);
		else /* as JSON has it: RFC 8259 section 7 */
			r = seal_bytes_append_fmt(out, err, "\\u%04x\\u%04x",
						  0xd800 + ((code - 0x10000) >> 10),
						  0xdc00 + (code & 0x3ff));
	}
	return r < 0 ? r : seal_bytes_append_str(out, "\"", err);
}

/* ---- Data ---- */

static int write_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
		       struct seal_err *err);

static int
indent(struct seal_bytes *out, unsigned depth, struct seal_err *err)
{
	return seal_bytes_append_fmt(out, err, "\n%.*s", (int)depth, "\t\t\t\t\t\t\t\t");
}

static int
write_array(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	    struct seal_err *err)
{
	size_t count = seal_json_count(value);
	int r = seal_bytes_append_str(out, "[", err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = seal_bytes_append_str(out, ",", err);
		if (r == 0)
			r = indent(out, depth + 1, err);
		if (r == 0)
			r = write_value(out, seal_json_at(value, i), depth + 1, err);
	}
	if (r == 0 && count > 0)
		r = indent(out, depth, err);
	return r < 0 ? r : seal_bytes_append_str(out, "]", err);
}

/* Never an empty one, which would be a set to some. */
static int
write_object(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	     struct seal_err *err)
{
	const char *separator = "{";
	int r = 0;

	for (const char *name = seal_json_next(value, NULL); r == 0 && name != NULL;
	     name = seal_json_next(value, name)) {
		r = seal_bytes_append_str(out, separator, err);
		separator = ",";
		if (r == 0)
			r = indent(out, depth + 1, err);
		if (r == 0)
			r = kata_rego_string(out, name, err);
		if (r == 0)
			r = seal_bytes_append_str(out, ": ", err);
		if (r == 0)
			r = write_value(out, seal_json_member(value, name), depth + 1, err);
	}
	if (r == 0)
		r = indent(out, depth, err);
	return r < 0 ? r : seal_bytes_append_str(out, "}", err);
}

static int
write_value(struct seal_bytes *out, const struct seal_json *value, unsigned depth,
	    struct seal_err *err)
{
	char number[SEAL_JSON_NUMBER_SIZE];
	int r;

	switch (seal_json_kind(value)) {
	case SEAL_JSON_OBJECT:
		return write_object(out, value, depth, err);
	case SEAL_JSON_ARRAY:
		return write_array(out, value, depth, err);
	case SEAL_JSON_STRING:
		return kata_rego_string(out, seal_json_str(value), err);
	case SEAL_JSON_NUMBER:
		r = seal_json_number(value, number, sizeof(number), err);
		return r < 0 ? r : seal_bytes_append_str(out, number, err);
	case SEAL_JSON_BOOL:
		return seal_bytes_append_str(out, seal_json_bool(value) ? "true" : "false", err);
	case SEAL_JSON_NULL:
		break;
	}
	return seal_bytes_append_str(out, "null", err);
}

int
kata_rego_write(struct seal_bytes *out, const struct seal_json *data, bool allow_logs,
		struct seal_err *err)
{
	int r = seal_bytes_append_str(out, head, err);

	for (size_t i = 0; r == 0 && i < SEAL_COUNT(requests); i++) {
		bool is_allowed =
			requests[i].answer == YES || (requests[i].answer == LOGS && allow_logs);

		r = seal_bytes_append_fmt(out, err, "default %s := %s\n", requests[i].request,
					  is_allowed ? "true" : "false");
	}
	if (r == 0)
		r = seal_bytes_append_str(out, rules, err);
	if (r == 0)
		r = write_value(out, data, 0, err);
	return r < 0 ? r : seal_bytes_append_str(out, "\n", err);
}
