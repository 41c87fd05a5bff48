"""What looks like a secret is kept out of logs and stored errors, whoever has put it there."""

import re
from collections.abc import Iterable

REDACTED = "[redacted]"
SHORTEST = 8  # a shorter word is no secret, and may be a word

_SHAPES = re.compile(
    r"""
    \b(?:dw_|whsec_|gh[pousr]_|glpat-|xox[abeprs]-|AIza|(?:sk|pk|rk|gsk|hf|r8|xai|nvapi|pplx)[-_])[\w+/=.-]{16,}
    | (?<=Bearer[ ])[^\s"'\\]{8,}
    | (?<=://)[^\s/@:"']*:[^\s/@"']+(?=@)
    | (?<=hooks\.slack\.com/services/)[\w/]+
    """,
    re.VERBOSE,
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace what looks like a key, a password in a URL or a bearer token, and these secrets as they are."""
    for secret in secrets:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, REDACTED)
    return _SHAPES.sub(REDACTED, text)
