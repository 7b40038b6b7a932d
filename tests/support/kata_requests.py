#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kata_requests.py MANIFEST [host]: what a runtime would ask of Kata Containers' agent to run the pod of an injected
manifest, and what a hostile host might, as lines {"request", "input", "wanted", "why"}.

Members have the names and shapes of the agent's protocol (agent.proto, oci.proto, types.proto), as the agent gives them
to a policy.  Read from the manifest, not from the policy.  With "host" images may come from the host, too.
"""

import copy
import json
import sys

import yaml

ID = "4bae4a8e74302a8edfe17424aff0b632cae893687f4d9ad2f2115666899f9a12"
SHARED = "/run/kata-containers/shared/containers/"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SYSCTLS = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"}
SYSTEM = ["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/sys", "/dev/shm", "/etc/resolv.conf"]
OF_CONTAINERS = SYSTEM + ["/sys/fs/cgroup", "/etc/hosts", "/etc/hostname", "/dev/termination-log",
                          "/var/run/secrets/kubernetes.io/serviceaccount", "/run/.containerenv", "/run/secrets",
                          "/run/secrets/kubernetes.io/serviceaccount"]


def pod_of(path):
    for document in yaml.safe_load_all(open(path, encoding="utf-8")):
        spec = (document or {}).get("spec", {})
        template = spec.get("template", document)
        if document["kind"] not in ("ConfigMap", "Secret") and "containers" in template.get("spec", {}):
            return template["spec"]
    raise SystemExit("no pod")


def create(kind, args, mounts, env, uid, image):
    return {
        "container_id": ID, "exec_id": ID, "devices": [], "sandbox_pidns": False, "shared_mounts": [],
        "string_user": None, "stdin_port": 0, "stdout_port": 0, "stderr_port": 0,
        "storages": [{"driver": "image_guest_pull", "driver_options": [], "fs_group": None, "fstype": "overlay",
                      "mount_point": "/run/kata-containers/%s/rootfs" % ID, "options": [], "source": image}],
        "OCI": {
            "Annotations": {
                "io.katacontainers.pkg.oci.container_type": "pod_" + kind,
                "io.kubernetes.cri.container-type": kind,
                "io.kubernetes.cri.sandbox-id": ID,
                "io.kubernetes.cri.sandbox-namespace": "shop",
            },
            "Hooks": None, "Hostname": "web", "Solaris": None, "Windows": None, "Version": "1.1.0",
            "Linux": {"Devices": [], "MaskedPaths": ["/proc/kcore"], "RootfsPropagation": "", "Seccomp": None,
                      "Sysctl": SYSCTLS, "Namespaces": [{"Path": "", "Type": kind} for kind in ("ipc", "uts", "mount")]},
            "Mounts": [{"destination": path, "options": ["rbind"], "source": "x", "type_": "bind"} for path in mounts],
            "Process": {"Args": args, "Cwd": "/", "Env": env, "NoNewPrivileges": True, "Terminal": False,
                        "User": {"UID": uid, "GID": uid, "AdditionalGids": [], "Username": ""}},
            "Root": {"Path": "/run/kata-containers/%s/rootfs" % ID, "Readonly": True},
        },
    }


def execute(args):
    return {"container_id": ID, "exec_id": "1", "string_user": None,
            "process": {"Args": args, "Cwd": "/", "Env": [PATH], "Terminal": False,
                        "User": {"UID": 0, "GID": 0, "AdditionalGids": [], "Username": ""}}}


def changed(request, path, value):
    request = copy.deepcopy(request)
    *steps, last = path.split("/")
    at = request
    for step in steps:
        at = at[int(step) if isinstance(at, list) else step]
    if isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return request


def say(request, what, wanted, why):
    print(json.dumps({"request": request, "input": what, "wanted": wanted, "why": why}))


def containers(pod):
    default = pod.get("securityContext", {}).get("runAsUser")
    for container in pod.get("initContainers", []) + pod["containers"]:
        mounts = [mount["mountPath"].rstrip("/") for mount in container.get("volumeMounts", [])]
        uid = container.get("securityContext", {}).get("runAsUser", default)
        env = [PATH, "HOSTNAME=web", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_PORT_443_TCP_PROTO=tcp",
               "DB_SERVICE_PORT_SQL=5432"]
        env += ["%s=%s" % (one["name"], one.get("value", "")) for one in container.get("env", [])]
        command = container.get("command") or ["/usr/bin/seal-proxy"]
        image = "docker.io/library/" + container["image"].replace(":1@", "@")
        yield container, uid, create("container", command + container.get("args", []), OF_CONTAINERS + mounts, env,
                                     1234 if uid is None else uid, image)


def flip(text):
    return text[:-1] + ("A" if text[-1] != "A" else "B")


def about_kernel(request, name, asked, devices):
    """Devices, where mounts appear, and namespaces."""
    for how in ("private", "rprivate", "slave", "rslave"):
        say(request, changed(asked, "OCI/Linux/RootfsPropagation", how), True, "%s with a root %s" % (name, how))
    for how in ("shared", "rshared", "unbindable", "x", None):
        say(request, changed(asked, "OCI/Linux/RootfsPropagation", how), False, "%s with a root %s" % (name, how))
    for path in devices + ["/dev/vda", "/dev/mem", "/dev/kvm", ""]:
        device = {"id": "", "type": "blk", "vm_path": "", "container_path": path, "options": []}
        node = {"Path": path, "Type": "b", "Major": 254, "Minor": 0, "FileMode": 0, "UID": 0, "GID": 0}
        say(request, changed(asked, "devices", [device]), path in devices, "%s with %s" % (name, path))
        say(request, changed(asked, "OCI/Linux/Devices", [node]), path in devices, "%s with a node %s" % (name, path))
    say(request, changed(asked, "OCI/Linux/Namespaces/2", {"Path": "", "Type": "pid"}), False, name + " in the guest's mounts")
    say(request, changed(asked, "OCI/Linux/Namespaces", []), False, name + " without namespaces")
    say(request, changed(asked, "OCI/Linux/Namespaces/0/Path", "/proc/1/ns/ipc"), False, name + " in others' namespaces")
    say(request, changed(asked, "OCI/Linux/Namespaces/2/Path", "/proc/1/ns/mnt"), False, name + " in others' mounts")


def about_containers(pod):
    request = "CreateContainerRequest"
    pause = create("sandbox", ["/pause"], SYSTEM, [PATH], 65535, "pause")
    say(request, pause, True, "the pause container")
    say(request, changed(pause, "OCI/Process/Args", ["/pause", "x"]), False, "pause with an argument")
    container = changed(pause, "OCI/Annotations/io.kubernetes.cri.container-type", "container")
    say(request, container, False, "pause as a container")
    say(request, changed(pause, "OCI/Process/Args", ["/bin/sh"]), False, "another program as pause")
    say(request, changed(pause, "storages/0/source", "evil/pause"), False, "another image as pause")
    say(request, changed(pause, "OCI/Mounts/0/destination", "/pause"), False, "a mount over pause")
    say(request, changed(pause, "OCI/Hooks", {"Prestart": [{"Path": "/bin/sh"}]}), False, "hooks of pause")
    about_kernel(request, "pause", pause, [])
    say(request, {}, False, "nothing")
    for container, uid, asked in containers(pod):
        name, args = container["name"], asked["OCI"]["Process"]["Args"]
        say(request, asked, True, name)
        crio = changed(asked, "OCI/Annotations", {"io.kubernetes.cri-o.ContainerType": "container"})
        say(request, crio, True, name + " by CRI-O")
        say(request, changed(asked, "OCI/Annotations", {}), False, name + " of no kind")
        sandbox = changed(asked, "OCI/Annotations/io.kubernetes.cri.container-type", "sandbox")
        say(request, sandbox, False, name + " as a sandbox")
        for at in range(len(args)):
            say(request, changed(asked, "OCI/Process/Args/%d" % at, flip(args[at])), False, "%s, word %d" % (name, at))
            rest = args[:at] + args[at + 1:]
            say(request, changed(asked, "OCI/Process/Args", rest), False, "%s without word %d" % (name, at))
        say(request, changed(asked, "OCI/Process/Args", args + ["x"]), False, name + ", one word more")
        say(request, changed(asked, "OCI/Process/Args", ["/bin/sh", "-c", " ".join(args)]), False, name + " by a shell")
        say(request, changed(asked, "OCI/Process/Args", " ".join(args)), False, name + " as one word")
        say(request, changed(asked, "OCI/Hooks", {"Prestart": []}), False, name + " with hooks")
        say(request, changed(asked, "shared_mounts", [{"name": "x"}]), False, name + " with shared mounts")
        say(request, changed(asked, "sandbox_pidns", True), False, name + " among all processes")
        about_kernel(request, name, asked, [one["devicePath"] for one in container.get("volumeDevices", [])])
        for path in ("/", "/usr/bin/seal-wrap", "/usr/bin", "/etc/seal", "/etc/seal/token", "/etc/hosts/", "/lib",
                     "/etc/ld.so.preload", "/proc/1", "/sys/fs", "/run/seal/x"):
            say(request, changed(asked, "OCI/Mounts/0/destination", path), False, "%s, a mount at %s" % (name, path))
        if uid is not None:
            say(request, changed(asked, "OCI/Process/User/UID", uid + 1), False, name + " as somebody else")
        if "@sha256:" in container["image"]:
            say(request, changed(asked, "storages/0/source", "x@sha256:" + 64 * "c"), False, name + ", another image")
            say(request, changed(asked, "storages/0/source", container["image"].split("@")[0]), False, name + ", by tag")
            digest = container["image"].split("@")[1]
            for wanted, source in ((True, "mirror.example/x@" + digest), (True, container["image"]), (False, "@" + digest),
                                   (False, "x@sha256:%s@%s" % (64 * "c", digest)), (False, digest), (False, "x" + digest),
                                   (False, "pause"), (False, ""), (False, None)):
                say(request, changed(asked, "storages/0/source", source), wanted, "%s from %s" % (name, source))
        for variable in ("LD_PRELOAD=/run/seal/x.so", "LD_LIBRARY_PATH=/x", "OPENSSL_CONF=/x", "GLIBC_TUNABLES=x",
                         "XHOSTNAMES=a", "=PATH=", "path=x", "PATH"):
            asked_so = changed(asked, "OCI/Process/Env/0", variable)
            say(request, asked_so, name != "seal-proxy", "%s with %s" % (name, variable))
    say(request, create("container", ["/bin/sh"], OF_CONTAINERS, [PATH], 0, "evil"), False, "a container more")


def storage(driver, path):
    return {"driver": driver, "driver_options": [], "fs_group": None, "fstype": "x", "mount_point": path, "options": [],
            "source": "x"}


def about_places(pod, by_host):
    """What the host could lay over an image, or in its place, without a mount of the container's own."""
    request = "CreateContainerRequest"
    pause = create("sandbox", ["/pause"], SYSTEM, [PATH], 65535, "pause")
    image, other, volume = "/run/kata-containers/" + ID, ID[::-1], ID + "-b3930b9af7125931-data"
    for name, asked in [("pause", pause)] + [(one["name"], asked) for one, _, asked in containers(pod)]:
        for path in (SHARED + ID + "/rootfs", SHARED + "passthrough/" + ID + "/rootfs", SHARED + ID,
                     "/run/kata-containers/" + other + "/rootfs"):
            at_path = changed(asked, "OCI/Root/Path", path)
            say(request, at_path, by_host and path != SHARED + ID, "%s, an image at %s" % (name, path))
            say(request, changed(at_path, "storages/0/mount_point", path), by_host and path != SHARED + ID,
                "%s, pulled to %s" % (name, path))
            more = asked["storages"] + [storage("virtio-fs", path)]
            say(request, changed(asked, "storages", more), by_host, "%s, and a share at %s" % (name, path))
        own = storage("virtio-fs", image + "/rootfs")
        say(request, changed(asked, "storages", [own]), by_host, name + ", an image of the host")
        say(request, changed(asked, "storages", asked["storages"] + [own]), by_host, name + ", the host's over what was pulled")
        say(request, changed(asked, "storages", []), by_host, name + ", no image")
        say(request, {key: asked[key] for key in asked if key != "storages"}, by_host, name + ", nothing about an image")
        for cid in (other, "shared/containers/" + ID, "x", "", None):
            say(request, changed(asked, "container_id", cid), by_host, "%s, in the place of %s" % (name, cid))
        strange = changed(changed(asked, "container_id", "shared/containers/" + ID), "OCI/Root/Path", SHARED + ID + "/rootfs")
        strange["storages"][0]["mount_point"] = SHARED + ID + "/rootfs"
        say(request, strange, by_host, name + ", whose number is a path of the host's")
        for path in ("/", "", SHARED + volume, SHARED + volume + "/rootfs", SHARED + ID + "/rootfs/local/data", SHARED + ID,
                     "/run/kata-containers/" + volume + "/../" + ID + "/rootfs", "/run/kata-containers/sandbox/x/rootfs",
                     "/run/kata-containers/" + ID + "/rootfs/", "x/run/kata-containers/" + ID + "/rootfs", None):
            say(request, changed(asked, "OCI/Root/Path", path), False, "%s, an image at %s" % (name, path))
        for path in ("sandbox/ephemeral/data", "sandbox/shm", "sandbox/storage/MDAvMDE=", "shared/containers/" + volume,
                     "shared/containers/watchable/" + volume, "shared/containers/%s/rootfs/local/data" % other,
                     "shared/containers/%s/local/data" % other):
            more = asked["storages"] + [storage("blk", "/run/kata-containers/" + path)]
            say(request, changed(asked, "storages", more), True, "%s with a volume at %s" % (name, path))
        for path in (image + "/rootfs/usr/bin", image + "/rootfs/etc/seal", image, image + "/", "/run/kata-containers", "/run",
                     SHARED, SHARED + ID + "/", SHARED + ID + "/rootfs/usr/bin", SHARED + ID + "/rootfs/local",
                     SHARED + ID + "/rootfs/local/..", SHARED + ID + "/rootfs/local/a/b", "/usr/bin", "/", "", None,
                     "/run/kata-containers/sandbox/../" + ID + "/rootfs/usr/bin", "/run/kata-containers/sandbox/"):
            more = asked["storages"] + [storage("blk", path)]
            say(request, changed(asked, "storages", more), False, "%s with a mount at %s" % (name, path))
        say(request, changed(asked, "OCI/Linux/Sysctl", {}), True, name + " without sysctls")
        for key, value in (("net.ipv4.conf.all.route_localnet", "1"), ("net.ipv4.ip_unprivileged_port_start", "1"),
                           ("kernel.core_pattern", "|/x"), ("x", ""), ("x", None)):
            say(request, changed(asked, "OCI/Linux/Sysctl", {**SYSCTLS, key: value}), False,
                "%s with %s = %s" % (name, key, value))


def about_execs(pod):
    request = "ExecProcessRequest"
    for container, _, asked in containers(pod):
        handlers = [container.get(key) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
        handlers += list(container.get("lifecycle", {}).values())
        for handler in handlers:
            command = (handler or {}).get("exec", {}).get("command")
            if not command:
                continue
            say(request, execute(command), True, "a probe of " + container["name"])
            say(request, changed(execute(command), "process/Terminal", True), False, "a probe at a terminal")
            say(request, execute(command + ["x"]), False, "a probe with a word more")
            say(request, execute([command[0], flip(command[1])]), False, "a probe with another value")
            say(request, execute(["/bin/sh"] + command), False, "a probe by a shell")
        say(request, execute(asked["OCI"]["Process"]["Args"]), False, container["name"] + " once more")
    for command in (["/bin/sh"], ["sh", "-c", "cat /etc/seal/token"], [], ["/usr/bin/seal-wrap"]):
        say(request, execute(command), False, "%r executed" % command)


def about_files():
    base = SHARED + ID + "-b3930b9af7125931-"
    for path, wanted in ((base + "resolv.conf", True), (base + "app/..data/key", True),
                         (SHARED + "passthrough/" + ID + "-b3930b9af7125931-hosts", True),
                         (base + "app/../../../../etc/passwd", False), (base + "x/..", False),
                         (SHARED + ID + "/rootfs/usr/bin/seal-wrap", False), ("/etc/passwd", False),
                         ("/run/kata-containers/" + ID + "/rootfs/etc/seal/token", False), (SHARED, False),
                         ("x" + base + "a", False), (base, False)):
        say("CopyFileRequest", {"path": path, "symlink_src": ""}, wanted, "a file at " + path)
        say("CopyFileRequest", {"path": path}, wanted, "a file at " + path)
    for target, wanted in (("..data/key", True), ("..2025_01_01", True), (None, True), ("/etc/passwd", False),
                           ("../../x", False), ("..", False), ("a/..", False)):
        say("CopyFileRequest", {"path": base + "a", "symlink_src": target}, wanted, "a link to %s" % target)


def about_the_rest():
    for request in ("AddSwapRequest", "AddSwapPathRequest", "CloseStdinRequest", "GetIPTablesRequest", "GetMetricsRequest",
                    "ListInterfacesRequest", "ListRoutesRequest", "MemAgentCompactConfig", "MemAgentMemcgConfig",
                    "MemHotplugByProbeRequest", "PauseContainerRequest", "PullImageRequest", "ReadStreamRequest",
                    "ReseedRandomDevRequest", "ResizeVolumeRequest", "ResumeContainerRequest", "SetGuestDateTimeRequest",
                    "SetIPTablesRequest", "SetPolicyRequest", "StartTracingRequest", "StopTracingRequest",
                    "TtyWinResizeRequest", "UpdateContainerRequest", "UpdateEphemeralMountsRequest", "VolumeStatsRequest",
                    "WriteStreamRequest", "AllowRequestsFailingPolicy", "SomethingNobodyKnowsRequest"):
        say(request, {}, False, "not needed")
    for request in ("DestroySandboxRequest", "GetOOMEventRequest", "GuestDetailsRequest", "OnlineCPUMemRequest",
                    "RemoveContainerRequest", "RemoveStaleVirtiofsShareMountsRequest",
                    "StartContainerRequest", "StatsContainerRequest", "WaitProcessRequest"):
        say(request, {"container_id": ID}, True, "needed")
    for number in (1, 2, 9, 15):
        say("SignalProcessRequest", {"container_id": ID, "exec_id": ID, "signal": number}, True, f"signal {number}")
    for number in (0, 18, 19, 20, 23, "9"):
        say("SignalProcessRequest", {"container_id": ID, "exec_id": ID, "signal": number}, False, f"signal {number}")
    sandbox = {"hostname": "web", "dns": [], "guest_hook_path": "", "kernel_modules": [], "sandbox_pidns": False,
               "storages": [{"driver": "ephemeral", "mount_point": "/run/kata-containers/sandbox/shm"}]}
    say("CreateSandboxRequest", sandbox, True, "the sandbox")
    say("CreateSandboxRequest", changed(sandbox, "guest_hook_path", "/x"), False, "hooks in the guest")
    say("CreateSandboxRequest", changed(sandbox, "kernel_modules", [{"name": "x"}]), False, "kernel modules")
    for path in ("/run/kata-containers/shared/containers", SHARED, SHARED + "passthrough/"):
        say("CreateSandboxRequest", changed(sandbox, "storages/0/mount_point", path), True, "the share at " + path)
    for path in ("/etc", "/run/kata-containers/../../etc", "/run/kata-containersx", "/run/kata-containers/" + ID + "/rootfs",
                 "/run/kata-containers/sandbox/../" + ID, SHARED + ID, "/run/kata-containers/sandbox/", "/run/kata-containers"):
        say("CreateSandboxRequest", changed(sandbox, "storages/0/mount_point", path), False, "a mount at " + path)
    for device, wanted in (("eth0", True), ("lo", False)):
        for name, of in ((device, device), ("eth0", device), (device, "eth0")):
            interface = {"name": name, "device": of, "hwAddr": "0a:58:0A:f4:00:05"}
            say("UpdateInterfaceRequest", {"interface": interface}, wanted, device)
        say("UpdateRoutesRequest", {"routes": {"Routes": [{"device": "eth0", "dest": ""}, {"device": device, "dest": ""}]}},
            wanted, device)
        say("AddARPNeighborsRequest", {"neighbors": {"ARPNeighbors": [{"device": device}]}}, wanted, device)
    for address in ("00:00:00:00:00:00", "0:0:0:0:0:0", "+0:00:00:00:00:00", "", None):
        interface = {"name": "eth0", "device": "eth0", "hwAddr": address}
        say("UpdateInterfaceRequest", {"interface": interface}, False, "the interface of %s" % address)
    say("UpdateInterfaceRequest", {"interface": {"name": "eth0", "device": "eth0"}}, False, "an interface of no address")
    for dest, wanted in (("127.0.0.1/32", False), ("127.0.0.0/8", False), ("::1/128", False), ("::1", False), ("0::1/128", False),
                         ("0:0:0:0:0:0:0:1/128", False), ("::FFFF:127.0.0.1/128", False), ("::ffff:7f00:1", False), (None, False),
                         ("10.0.0.0/8", True), ("::/0", True), ("fd00::1/128", True), ("0.0.0.0/0", True), ("1.2.3.4", True)):
        say("UpdateRoutesRequest", {"routes": {"Routes": [{"device": "eth0", "dest": dest}]}}, wanted, "a route to %s" % dest)
        interface = {"name": "eth0", "device": "eth0", "hwAddr": "0a:58:0A:f4:00:05", "IPAddresses": [
            {"family": 0, "address": "10.0.0.2", "mask": "24"}, {"family": 0, "address": dest, "mask": "8"}]}
        say("UpdateInterfaceRequest", {"interface": interface}, wanted, "the address %s" % dest)


def main():
    pod = pod_of(sys.argv[1])
    about_containers(pod)
    about_places(pod, sys.argv[2:] == ["host"])
    about_execs(pod)
    about_files()
    about_the_rest()


main()
