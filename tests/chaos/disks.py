"""Disks so small that they can be filled."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILLER = "filler"
STEP_BYTES = 1 << 16


def why_no_disk(folder: Path) -> str | None:
    """What keeps a disk from being mounted here; None where it can be."""
    try:
        with mount_small_disk(folder / "trial-disk", 1):
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no file system can be mounted here ({error})"


@contextmanager
def mount_small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system in memory at `folder`, for the length of the block."""
    folder.mkdir(parents=True)
    options = f"size={megabytes}m,mode=0700"
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def fill(folder: Path) -> None:
    """Leave not one byte free."""
    block = b"\0" * STEP_BYTES
    with suppress(OSError), open(folder / FILLER, "ab", buffering=0) as file:
        while file.write(block):
            pass
    os.stat(folder / FILLER)


def make_room(folder: Path) -> None:
    (folder / FILLER).unlink(missing_ok=True)
