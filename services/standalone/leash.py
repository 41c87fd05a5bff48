"""Run a program that ends when its parent does, and, where that is needed, not as root.

    python -I -S leash.py PARENT_PID DEATH_SIGNAL IDENTITY PROGRAM [ARGUMENT ...]

IDENTITY is `same`, `unmapped` or `UID:GID`. `unmapped` is for programs that refuse to run as root, as
PostgreSQL does: in a user namespace of its own the program is nobody and has no capability at all, and yet it
owns root's files, so that it works under a home that only root can enter. `UID:GID` really becomes that user.

This is a program of its own because code between fork and exec can deadlock where there are threads. It needs
the standard library only and takes 30 ms. Where the system has no death signal (macOS) it does not leash.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOBODY = 65534


def take_identity(identity: str) -> None:
    match identity.split(":"):
        case ["same"]:
            return
        case ["unmapped"]:
            user, group = os.geteuid(), os.getegid()
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
                raise OSError(ctypes.get_errno(), "no user namespace can be made here")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")
        case [user_id, group_id]:
            os.setgroups([])
            os.setgid(int(group_id))
            os.setuid(int(user_id))


def tie_to_parent(parent_pid: int, death_signal: int) -> None:
    # Every change of identity drops the death signal: this comes after take_identity.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != parent_pid:
        sys.exit("leash: the parent is gone already")


if __name__ == "__main__":
    parent, death, who, *command = sys.argv[1:]
    take_identity(who)
    tie_to_parent(int(parent), signal.Signals[death])
    os.execvp(command[0], command)
