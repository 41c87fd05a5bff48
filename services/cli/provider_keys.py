"""Keys to providers for one run: read from the environment, for what is typed is seen by others."""

import os
from collections.abc import Iterable, Mapping

from services.cli.failures import Refused

HEADER = "X-Provider-Key"
FORM = "--provider-key: write PROVIDER=NAME, where NAME is an environment variable that holds the key."


def read_provider_keys(pairs: Iterable[str]) -> Mapping[str, str]:
    """The header that carries the keys which `PROVIDER=NAME` texts name; none without any.

    Raises:
        Refused: one does not have that form, or its variable is not set. It is not quoted: it may be a key.
    """
    keys = []
    for pair in pairs:
        provider, separator, name = pair.partition("=")
        if not provider or not separator or not name.isidentifier():
            raise Refused(FORM)
        key = os.environ.get(name, "").strip()
        if not key:
            raise Refused(f"{FORM} The variable for {provider} is not set.")
        if not key.isascii() or not key.isprintable() or "," in key or " " in key:
            raise Refused(f"--provider-key: the key to {provider} holds characters that no key has.")
        keys.append(f"{provider}={key}")
    return {HEADER: ",".join(keys)} if keys else {}
