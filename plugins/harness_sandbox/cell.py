"""Runs one program where it can reach nothing: a script of its own, started by `harness_sandbox.linux` with `-I -S`.

It reads the program from standard input and writes lines of JSON to the descriptor that it is told: `pid` of the first
process inside, then one of `passed` and `error`, or `broken` where a wall could not be put up. Nothing of the program
runs before every wall stands: another user than root, namespaces of its own for users, processes, mounts, network and
messages, an empty folder of bounded size, limits of the process, no capabilities, and Landlock (Linux 5.13 or later).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path

NOBODY = 65534
NEWNS, NEWUTS, NEWIPC = 0x00020000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""Landlock's version -> how many rights over files it knows; later ones know no more."""
EXECUTE, READ_FILE, READ_DIR, WRITE_FILE = 1 << 0, 1 << 2, 1 << 3, 1 << 1
TCP, SCOPES = 0b11, 0b11
CAPABILITIES_3 = 0x20080522
PROCESSES, FILES = 8, 64
FOLDER_BYTES, FOLDER_FILES = 16 << 20, 256
LONGEST = 300
"""Characters of a reason."""

libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> int:
    """A system call's result.

    Raises:
        OSError: when it failed.
    """
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def become_nobody(library: str) -> None:
    """Root's processes are counted by no limit and own the machine's files, so that root becomes somebody else.

    Who may then not be able to reach Python's library, where that lies in root's home: it is mounted elsewhere before.
    """
    if os.geteuid() == 0:
        checked(libc.unshare(NEWNS), "a namespace of mounts")
        checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
        own = str(Path(os.__file__).resolve().parent)
        checked(libc.mount(own.encode(), library.encode(), None, MS_BIND, None), "Python's library")
        find_in(own, library)
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    checked(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    checked(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "dying with the parent")


def find_in(own: str, library: str) -> None:
    """Let what is still to be imported be found where the library is mounted now."""
    sys.path[:] = [library, f"{library}/lib-dynload"]
    sys.path_importer_cache.clear()
    for module in list(sys.modules.values()):
        paths = getattr(module, "__path__", None)
        if isinstance(paths, list):
            paths[:] = [path.replace(own, library, 1) for path in paths]


def leave(folder: str) -> None:
    """Namespaces of its own, and in them an empty folder in memory as the current one."""
    user, group = os.geteuid(), os.getegid()
    checked(libc.unshare(NEWUSER | NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET), "namespaces")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")
    checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
    flags, options = MS_NOSUID | MS_NODEV | MS_NOEXEC, f"size={FOLDER_BYTES},nr_inodes={FOLDER_FILES},mode=700"
    checked(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", flags, options.encode()), "a folder in memory")
    os.chdir(folder)


def limit(timeout_s: float, memory_mb: int) -> None:
    """What the process and those that it makes may take."""
    seconds = int(timeout_s) + 2
    for what, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory_mb << 20),
        (resource.RLIMIT_NPROC, PROCESSES),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_FSIZE, FOLDER_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def drop_capabilities() -> None:
    """Those that a new user namespace gives."""
    header, none = struct.pack("Ii", CAPABILITIES_3, 0), bytes(24)
    checked(libc.capset(header, none), "no capabilities")


def readable(mounted: str) -> list[str]:
    """What Python itself reads: its library and those that it is linked with."""
    library = Path(os.__file__).resolve().parent
    shared = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo")
    devices = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
    return [mounted, str(library), str(library.parent), *shared, *devices]


def confine(folder: str, library: str) -> None:
    """Landlock: reads what Python reads, writes in the folder, connects to nothing."""
    version = checked(libc.syscall(LANDLOCK_CREATE, None, 0, 1), "Landlock")
    every = (1 << RIGHTS.get(version, max(RIGHTS.values()))) - 1
    attributes = struct.pack("Q", every)
    if version >= 4:
        attributes += struct.pack("Q", TCP)
    if version >= 6:
        attributes += struct.pack("Q", SCOPES)
    rules = checked(libc.syscall(LANDLOCK_CREATE, attributes, len(attributes), 0), "Landlock's rules")
    allow(rules, folder, every & ~EXECUTE)
    for path in readable(library):
        if not os.access(path, os.R_OK):
            continue  # what it may not read anyway
        if Path(path).is_dir():
            allow(rules, path, EXECUTE | READ_FILE | READ_DIR)
        else:
            allow(rules, path, READ_FILE | (WRITE_FILE if path == "/dev/null" else 0))
    checked(libc.syscall(LANDLOCK_RESTRICT, rules, 0), "Landlock")
    os.close(rules)


def allow(rules: int, path: str, rights: int) -> None:
    """Rights over a file, or over all beneath a folder."""
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    checked(libc.syscall(LANDLOCK_ADD, rules, 1, struct.pack("=Qi", rights, opened), 0), f"Landlock on {path}")
    os.close(opened)


def told(out: int, **finding: object) -> None:
    """Write a line for whoever started this."""
    os.write(out, json.dumps(finding).encode() + b"\n")


def outcome(program: str) -> dict[str, object]:
    """Run the program to its end: one that ends itself before that has not passed."""
    try:
        exec(compile(program, "program", "exec"), {"__name__": "__main__"})  # noqa: S102 - what all of this is for
    except SystemExit:
        return {"error": "it ended itself before its tests were over"}
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is why it fails
        said = str(error).strip().partition("\n")[0]
        return {"error": f"{type(error).__name__}{': ' if said else ''}{said}"[:LONGEST]}
    return {"passed": True}


def inside(out: int, folders: tuple[str, str], program: str, timeout_s: float, memory_mb: int) -> None:
    """In the new process namespace: its first process waits for the second, which runs the program."""
    try:
        checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "dying with the parent")
        os.chdir(folders[0])
        null = os.open("/dev/null", os.O_RDWR)
        for descriptor in range(3):
            os.dup2(null, descriptor)
        drop_capabilities()
        confine(*folders)
        limit(timeout_s, memory_mb)
        second = os.fork()
    except OSError as error:
        told(out, broken=str(error))
        os._exit(1)
    if second:
        os.waitpid(second, 0)
    else:
        os.environ.clear()
        told(out, **outcome(program))
    os._exit(0)


def main() -> None:
    """Put up the walls and run the program within."""
    out, timeout_s, memory_mb = int(sys.argv[1]), float(sys.argv[3]), int(sys.argv[4])
    folders = f"{sys.argv[2]}/work", f"{sys.argv[2]}/library"
    program = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        become_nobody(folders[1])
        leave(folders[0])
        first = os.fork()
    except OSError as error:
        told(out, broken=str(error))
        return
    if not first:
        inside(out, folders, program, timeout_s, memory_mb)
    told(out, pid=first)
    os.waitpid(first, 0)


if __name__ == "__main__":
    main()
