"""Clocks that jump: a process under Debian's libfaketime reads its offset from a file, once a second."""

from collections.abc import Mapping
from pathlib import Path

CACHE_SECONDS = 1


def find_faketime() -> Path | None:
    """The library of the Debian package `faketime`, if it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


class Clock:
    """The wall clock of one process; its monotonic clock stays right."""

    def __init__(self, library: Path, file: Path) -> None:
        self._library = library
        self._file = file
        self.jump(0)

    def jump(self, seconds: int) -> None:
        """Show so many seconds more than it is, from within a second from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self._file)

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_SECONDS),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
