"""Where the databases are spoken to: sockets in a folder that only their owner can enter."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# The kernel's limit for a socket's whole path is 107 bytes on Linux and 103 on macOS.
PATH_BYTES = 103
LONGEST_NAME = ".s.PGSQL.65535"


@contextmanager
def private_socket_folder(home: Path) -> Iterator[Path]:
    """Yield `home/sockets`, or a short-lived folder just as private where that can't be in an address.

    Clients split and unquote addresses each in its own way, so a path with anything but letters, digits and
    `/._-` is avoided, as is one too long for a socket.
    """
    preferred = home / "sockets"
    fits = len(os.fsencode(preferred / LONGEST_NAME)) <= PATH_BYTES
    if fits and re.fullmatch(r"[A-Za-z0-9/._-]+", str(preferred)):
        preferred.mkdir(mode=0o700, exist_ok=True)
        preferred.chmod(0o700)
        yield preferred
    else:
        with tempfile.TemporaryDirectory(prefix="driftwarden-", dir="/tmp") as substitute:  # nosec B108  # its own, 0700
            yield Path(substitute)
