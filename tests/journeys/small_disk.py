"""A disk of a few megabytes, for a process of its own and as long as it lives."""

import ctypes
import os
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_PRIVATE_RECURSIVE = (1 << 18) | (1 << 14)


def mount(folder: Path, size: int) -> None:
    """Mount an empty memory disk of `size` bytes at a folder, seen by this process only.

    The process must have one thread. Without root it becomes root in a user namespace.

    Raises:
        OSError: If this machine does not allow it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    _call(libc.unshare, _CLONE_NEWNS | (_CLONE_NEWUSER if user else 0))
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="ascii")
    _call(libc.mount, None, b"/", None, _MS_PRIVATE_RECURSIVE, None)
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size}".encode()
    _call(libc.mount, b"tmpfs", os.fsencode(folder), b"tmpfs", 0, options)


def _call(function: "ctypes._NamedFuncPointer", *arguments: object) -> None:
    if function(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fill(folder: Path, left: int) -> Path:
    """Fill the disk of a folder until `left` bytes are free; removing the file frees it again."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    with ballast.open("wb") as file:
        file.write(b"\0" * max(0, free.f_bavail * free.f_frsize - left))
    return ballast
