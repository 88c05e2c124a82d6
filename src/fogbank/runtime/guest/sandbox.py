"""The sandbox: namespaces of its own for every environment, and a small root in place of the machine's.

The prepared parent enters a user namespace and a root of its own once (`enter`): the system read-only, the runtime at
/var/runtime, the machine behind `HOST`. Each environment is then forked in three steps (`Shell`): a passing process
makes the other namespaces, the first process in them only reaps what others leave behind, and the second is the
function's. When the first goes, and it goes with the prepared parent, the kernel ends everything beside it.

    /usr, /lib*, /bin, /sbin, some of /etc   the machine's, read-only
    /var/runtime                             the runtime client and the packages that it offers, read-only
    /var/task, /opt                          the function's code and layers, read-only
    /tmp                                     its own, as large as its configuration says
    /proc, /dev                              its own processes; null, zero, full, random, urandom

Run as a program it tries all of this once and prints what went wrong, if anything, as JSON.
Runs on Python 3.9 and later, standard library only.
"""

# ruff: noqa: PTH102, PTH103, PTH109, PTH110, PTH112, PTH114, PTH115, PTH118, PTH123, PTH120, PTH208, PTH211 - see zygote.py

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "/.host"
UID, GID = 993, 990
"""The ids that functions have on Lambda."""
NOBODY = 65534
"""Whom functions are outside of the sandbox, when Fogbank runs as root."""

NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
ATTR_RDONLY, ATTR_NOSUID, ATTR_NODEV = 1, 2, 4
SYS_MOUNT_SETATTR = 442
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "arm64": 41, "riscv64": 41}.get(platform.machine(), -1)
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
CAP_VERSION = 0x20080522

TMP = "/tmp"  # noqa: S108 - the environment's own
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32")
SETTINGS = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "gai.conf",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "os-release",
    "pki",
    "protocols",
    "resolv.conf",
    "services",
    "ssl",
)
COPIED = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)
DEVICES = ("null", "zero", "full", "random", "urandom")
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\nsbx_user1051:x:{UID}:{GID}::/tmp:/sbin/nologin\n"
GROUP = f"root:x:0:\nsbx_user1051:x:{GID}:\n"

libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(OSError):
    """The kernel does not allow a step; the message names it."""


def check(result: int, step: str) -> None:
    """Raise `SandboxError` if a call of the C library failed."""
    if result != 0:
        raise SandboxError(f"{step}: {os.strerror(ctypes.get_errno())}")


def unshare(flags: int, step: str) -> None:
    """Leave namespaces for new ones."""
    check(libc.unshare(ctypes.c_int(flags)), step)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount a file system, as the system call of that name does."""
    check(
        libc.mount(
            source.encode(),
            target.encode(),
            None if kind is None else kind.encode(),
            ctypes.c_ulong(flags),
            options.encode() or None,
        ),
        f"mounting {target}",
    )


def restrict(target: str, attributes: int, *, below: bool = True) -> None:
    """Add to a mount's attributes, and to those of the mounts below it."""
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    flags = AT_RECURSIVE if below else 0
    result = libc.syscall(
        SYS_MOUNT_SETATTR, AT_FDCWD, target.encode(), ctypes.c_uint(flags), wanted, ctypes.c_size_t(len(wanted))
    )
    check(result, f"making {target} read-only (Linux 5.12 can)")


def bind(source: str, target: str, *, writable: bool = False) -> None:
    """Show `source` at `target`, which is made if it is missing."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, target, None, MS_BIND | MS_REC)
    restrict(target, ATTR_NOSUID | ATTR_NODEV | (0 if writable else ATTR_RDONLY))


def write(path: str, text: str) -> None:
    """Write a file that is there or is made."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(file, text.encode())
    except OSError as error:
        raise SandboxError(f"writing {path}: {error.strerror}") from error
    finally:
        os.close(file)


# -- the prepared parent ------------------------------------------------------------------------------------------


def enter(root: str, runtime: str, hidden: list[str]) -> None:
    """Give this process a user namespace and a root of its own.

    `root` is an empty folder, `runtime` the runtime's; `hidden` must not be seen, whatever else is shown.
    """
    os.umask(0o022)
    new_user()
    build(root, runtime)
    for folder in hidden:
        hide(root, folder)
    os.mkdir(root + HOST)
    os.chdir(root)
    check(libc.syscall(SYS_PIVOT_ROOT, b".", HOST[1:].encode()), "changing the root")
    os.chdir("/")


def new_user() -> None:
    """A user namespace in which this process may mount. Only root may give functions another user than its own."""
    if os.geteuid() != 0:
        uid, gid = os.geteuid(), os.getegid()
        unshare(NEWUSER | NEWNS, "a user namespace")
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{UID} {uid} 1")
        write("/proc/self/gid_map", f"{GID} {gid} 1")
        return
    reader, writer = os.pipe()
    me = os.getpid()
    outside = os.fork()
    if outside == 0:
        os.close(writer)
        os.read(reader, 1)
        try:
            write(f"/proc/{me}/uid_map", f"0 0 1\n{UID} {NOBODY} 1")
            write(f"/proc/{me}/gid_map", f"0 0 1\n{GID} {NOBODY} 1")
        except OSError:
            os._exit(1)
        os._exit(0)
    os.close(reader)
    try:
        unshare(NEWUSER | NEWNS, "a user namespace")
    finally:
        os.close(writer)
        _, status = os.waitpid(outside, 0)
    if status != 0:
        raise SandboxError("giving functions a user of their own: the ids cannot be mapped")


def build(root: str, runtime: str) -> None:
    """Fill a small root: the system, the interpreter and the runtime, all read-only."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("fogbank", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=4m")
    for name in SYSTEM:
        place = "/" + name
        if os.path.islink(place):
            os.symlink(os.readlink(place), root + place)
        elif os.path.isdir(place):
            bind(place, root + place)
    for prefix in {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}:
        if not prefix.startswith("/usr/") and prefix != "/usr":
            bind(prefix, root + prefix)
    os.mkdir(root + "/etc")
    for name in SETTINGS:
        if os.path.exists(f"/etc/{name}"):
            bind(f"/etc/{name}", f"{root}/etc/{name}")
    write(root + "/etc/hosts", hosts())
    write(root + "/etc/passwd", PASSWD)
    write(root + "/etc/group", GROUP)
    for name in ("dev", "proc", "tmp", "opt", "var", "var/task", "var/runtime"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    for name in DEVICES:
        os.close(os.open(f"{root}/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
        mount(f"/dev/{name}", f"{root}/dev/{name}", None, MS_BIND)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{root}/dev/{name}")
    for name in os.listdir(runtime):
        bind(os.path.realpath(os.path.join(runtime, name)), f"{root}/var/runtime/{name}")


def hosts() -> str:
    """The machine's names, and those that an environment has for itself: where extensions listen for telemetry."""
    try:
        with open("/etc/hosts") as file:
            known = file.read()
    except OSError:
        known = "127.0.0.1 localhost\n"
    return f"{known.rstrip()}\n127.0.0.1 sandbox.localdomain sandbox\n"


def hide(root: str, folder: str) -> None:
    """Cover a folder that was shown with what is around it."""
    if os.path.isdir(root + folder):
        mount("none", root + folder, "tmpfs", MS_NOSUID | MS_NODEV, "size=4k,mode=000")


# -- one environment ----------------------------------------------------------------------------------------------


class Shell:
    """The namespaces of one environment, made by a process that passes on.

    `wanted` is what Fogbank asked for: {"binds": [[source, target, writable]], "tmp": MB or 0, "ports": [number] or
    null, "datagrams": [number], "copied": whether it is to be a snapshot's}. With ports the environment has a network
    of its own, that is loopback only; `sockets` listen at those ports then, for Fogbank to answer.
    """

    def __init__(self, wanted: dict[str, Any]) -> None:
        self.wanted = wanted
        self.sockets: list[socket.socket] = []
        ports = wanted["ports"]
        self.unshare(NEWNS | NEWPID | NEWIPC | NEWUTS | (0 if ports is None else NEWNET))
        check(libc.sethostname(b"localhost", 9), "naming the host")
        if ports is not None:
            loopback_up()
            self.sockets = [listening(port) for port in ports]
            self.sockets += [receiving(port) for port in wanted["datagrams"]]

    def unshare(self, namespaces: int) -> None:
        """Leave the namespaces of the parent."""
        unshare(namespaces, "namespaces for an environment")

    def enter(self) -> None:
        """Be the function's process: see the small root only, be nobody, and be able to become nobody else."""
        for made in self.sockets:
            made.detach()  # Fogbank has them; here they are closed
        self.mount()
        self.drop()

    def drop(self) -> None:
        """Give up every right. A user namespace of its own makes the limit of processes count here only."""
        if os.geteuid() != UID:
            os.setgroups([])
            os.setresgid(GID, GID, GID)
            os.setresuid(UID, UID, UID)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
        unshare(NEWUSER, "a user namespace for an environment")
        keep_ids()
        give_up(copied=self.wanted.get("copied", False))

    def reap_for_ever(self, life: int) -> None:
        """Be the first process of the namespaces; see the function of that name."""
        reap_for_ever(life)

    def mount(self) -> None:
        """Put the environment's own folders in place, and leave the machine behind."""
        if self.wanted["tmp"]:
            self.mount_tmp()
        for source, target, writable in self.wanted["binds"]:
            self.show(HOST + source, target, writable=writable)
        mount_proc()
        check(libc.umount2(HOST.encode(), MNT_DETACH), "leaving the machine's root")
        restrict("/", ATTR_RDONLY, below=False)

    def mount_tmp(self) -> None:
        """A temporary folder of its own."""
        options = "mode=1777,size={}m,nr_inodes={}".format(self.wanted["tmp"], self.wanted["tmp"] * 256)
        mount("tmp", TMP, "tmpfs", MS_NOSUID | MS_NODEV, options)

    def show(self, source: str, target: str, *, writable: bool) -> None:
        """Show one of the folders that the environment is given."""
        if not os.path.exists(source):
            return
        if os.path.isdir(target) and os.listdir(target):  # an interpreter below /opt: what is there stays
            for name in os.listdir(source):
                bind(f"{source}/{name}", f"{target}/{name}", writable=writable)
        else:
            bind(source, target, writable=writable)


class InnerShell(Shell):
    """The same for an environment that is forked from a snapshot, within the snapshot's sandbox.

    A snapshot has no rights. In a user namespace of its own the process that passes on has those that it takes to make
    the others, and they count in there alone. The system, the code and the layers are the snapshot's, read-only.
    """

    def unshare(self, namespaces: int) -> None:
        """See `Shell.unshare`."""
        _, most = resource.getrlimit(resource.RLIMIT_NPROC)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))  # what all of the snapshot's may have together
        unshare(NEWUSER | namespaces, "namespaces within a snapshot's")
        keep_ids()

    def enter(self) -> None:
        """See `Shell.enter`."""
        for made in self.sockets:
            made.close()
        self.mount()
        give_up()

    def mount(self) -> None:
        """Have a temporary folder, with what the init code left in the snapshot's, and see one's own processes."""
        here = os.getcwd()
        left = os.open(TMP, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.mount_tmp()
        if os.listdir(left):
            shutil.copytree(f"/proc/self/fd/{left}", TMP, symlinks=True, ignore=no_files, dirs_exist_ok=True)
        os.close(left)
        mount_proc()
        os.chdir(here)

    def reap_for_ever(self, life: int) -> None:
        """See `Shell.reap_for_ever`; it holds the memory of a user's code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            give_up()
        except OSError:
            os._exit(1)
        reap_for_ever(life, small=False)


def no_files(folder: str, names: list[str]) -> list[str]:
    """What cannot be copied: sockets and pipes."""
    kinds = {name: os.lstat(os.path.join(folder, name)).st_mode for name in names}
    return [name for name, kind in kinds.items() if stat.S_IFMT(kind) not in COPIED]


def mount_proc() -> None:
    """Show the processes of the namespace, to each user its own."""
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=2")


def listening(port: int) -> socket.socket:
    """A socket that listens at a port of the loopback address."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.bind(("127.0.0.1", port))
    made.listen(128)
    return made


def receiving(port: int) -> socket.socket:
    """A socket that takes datagrams at a port of the loopback address."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", port))
    return made


def loopback_up() -> None:
    """Start the one interface of a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        try:
            fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
        except OSError as error:
            raise SandboxError(f"starting the loopback network: {error.strerror}") from error


def keep_ids() -> None:
    """Be in a new user namespace who one was outside of it."""
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{UID} {UID} 1")
    write("/proc/self/gid_map", f"{GID} {GID} 1")


def give_up(*, copied: bool = False) -> None:
    """Give up every right of a user namespace, for good. Where nothing is to be copied, it is the last one."""
    if not copied:
        write("/proc/sys/user/max_user_namespaces", "0")
    header, nothing = struct.pack("Ii", CAP_VERSION, 0), struct.pack("IIIIII", 0, 0, 0, 0, 0, 0)
    check(libc.capset(header, nothing), "giving up rights")
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "giving up rights for good")


def reap_for_ever(life: int, *, small: bool = True) -> None:
    """Be the first process of the namespaces: reap what is left behind, and go when the prepared parent goes.

    `life`: the reading end of a pipe that only the prepared parent can write to. A `small` one takes a shell's memory
    in place of the parent's; it can be traced by whoever has its user and its rights.
    """
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.closerange(0, life)
    os.closerange(life + 1, 4096)
    if small:
        os.dup2(life, 0, inheritable=True)
        with contextlib.suppress(OSError):
            os.execve("/bin/sh", ["/bin/sh", "-c", "read _"], {})  # noqa: S606 - waits for the end of the pipe, no more
    while True:
        try:
            os.read(life, 1)
        except InterruptedError:
            continue
        os._exit(0)


# -- a trial ------------------------------------------------------------------------------------------------------


def attempt(root: str, runtime: str) -> str | None:
    """Make one whole sandbox and one within it, and leave them. Why there can be no inner one, if it cannot."""
    enter(root, runtime, [])
    wanted = {"binds": [], "tmp": 1, "ports": [9001], "datagrams": [2000], "copied": True}

    def inside() -> str:
        usable()
        try:
            return within(InnerShell(wanted), str)[1]
        except OSError as error:
            return str(error)

    works, reason = within(Shell(wanted), inside)
    if not works:
        raise SandboxError(reason or "the trial failed")
    return reason or None


def usable() -> None:
    """Raise an error unless functions could run here: what they need may be closed to whoever they are."""
    for name in os.listdir("/var/runtime"):
        place = f"/var/runtime/{name}"
        try:
            os.close(os.open(place, os.O_RDONLY))
        except OSError as error:
            raise SandboxError(f"functions cannot read {name} of the runtime: {error.strerror}") from error
    imports = [sys.executable, "-I", "-S", "-c", "import ctypes, json, socket, ssl"]
    if os.spawnv(os.P_WAIT, sys.executable, imports) != 0:  # noqa: S606 - the interpreter that runs this
        raise SandboxError(f"{sys.executable} does not run in it")


def within(shell: Shell, then: Callable[[], str]) -> tuple[bool, str]:
    """Enter a shell in a process, and do something more; whether it was entered, and what that said or why not."""
    reader, writer = os.pipe()
    life, living = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(living)
        shell.reap_for_ever(life)
    second = os.fork()
    if second == 0:
        status = 1
        try:
            shell.enter()
            said = then()
            status = 0
        except OSError as error:
            said = str(error)
        os.write(writer, said.encode())
        os._exit(status)
    _, status = os.waitpid(second, 0)
    os.close(living)
    os.waitpid(first, 0)
    os.close(writer)
    said = os.read(reader, 4096).decode()
    os.close(reader)
    return status == 0, said


def main() -> None:
    """argv: an empty folder, the runtime's folder."""
    found: dict[str, str | None] = {"problem": None, "inner": None}
    try:
        found["inner"] = attempt(sys.argv[1], sys.argv[2])
    except OSError as error:
        found["problem"] = str(error)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
