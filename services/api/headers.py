"""What every answer tells the browsers, caches and proxies that it passes."""

from starlette.datastructures import MutableHeaders

from shared.settings import Settings

STRICT_TRANSPORT = "max-age=31536000"
KEPT = ("/static/", "/docs/assets/")  # files that are the same for everybody
# An answer may come with stricter or wider terms of its own, as pages do.
DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def is_behind_tls(settings: Settings) -> bool:
    """Whether people reach this server over TLS, whoever ends it for us."""
    return (settings.public_url or "").lower().startswith("https://")


def protect(headers: MutableHeaders, path: str, *, behind_tls: bool) -> None:
    """Add to an answer's headers what it does not tell by itself."""
    for name, value in DEFAULTS.items():
        headers.setdefault(name, value)
    if not path.startswith(KEPT):
        headers.setdefault("Cache-Control", "no-store")
    if behind_tls:
        headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
