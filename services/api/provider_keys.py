"""Keys to providers that come with a run: read from a header, sealed before they are stored."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from fastapi import Depends, Header, Request
from pydantic import SecretStr

from services.api.desk import Desk
from shared.domain.errors import InvalidInput
from shared.models import Catalogue

HEADER = "X-Provider-Key"
PAIR = r"[a-z0-9][a-z0-9._-]*=[\x21-\x2b\x2d-\x7e]{8,1000}"  # no key holds a comma
DESCRIPTION = """\
Keys to providers for this run alone: `openai=sk-…`; several with commas between them, or in several headers.
A key is used for every model of its provider that the run asks, the judge included, in place of the one that
models.yaml or the server's environment has, and goes where models.yaml says that provider is. It is stored
encrypted until the run is closed, and never told again. The server needs DRIFTWARDEN_SECRET_KEY for that.\
"""


async def _read(
    request: Request,
    documented: Annotated[
        str,
        Header(
            alias=HEADER,
            description=DESCRIPTION,
            examples=["openai=sk-0123456789abcdef"],
            json_schema_extra={"pattern": f"^({PAIR}(, *{PAIR})*)?$"},
        ),
    ] = "",
) -> Mapping[str, SecretStr]:
    """Keys by provider, out of all the headers of that name.

    Raises:
        InvalidInput: one does not have the form, or a provider is named twice.
    """
    keys: dict[str, SecretStr] = {}
    written = ",".join(request.headers.getlist(HEADER))
    for pair in written.split(",") if written else ():
        if not re.fullmatch(PAIR, pair.strip()):
            raise InvalidInput(HEADER, "does not have the form PROVIDER=KEY.", "Such as openai=sk-…")
        provider, _, key = pair.strip().partition("=")
        if provider in keys:
            raise InvalidInput(HEADER, f"names {provider!r} twice.", "Give one key for each provider.")
        keys[provider] = SecretStr(key)
    return keys


ProviderKeys: TypeAlias = Annotated[Mapping[str, SecretStr], Depends(_read)]


def seal_provider_keys(
    desk: Desk, keys: Mapping[str, SecretStr], asked: Sequence[str]
) -> Mapping[str, bytes]:
    """Encrypt a run's keys for as long as they are stored; `asked` are its models, the judge's included.

    Raises:
        InvalidInput: nothing can be encrypted here, or a key is for a provider that the run does not ask.
    """
    if not keys:
        return {}
    if desk.vault is None:
        problem = "can't be kept: this server has no DRIFTWARDEN_SECRET_KEY to encrypt keys with."
        raise InvalidInput(HEADER, problem, "Set one for all its processes, or leave the header out.")
    providers = sorted({_provider_of(desk.catalogue, model) for model in asked})
    for provider in keys:
        if provider not in providers:
            problem = f"names {provider!r}, whom this run does not ask."
            raise InvalidInput(HEADER, problem, f"It asks: {', '.join(providers)}.")
    return {provider: desk.vault.seal(key.get_secret_value()) for provider, key in keys.items()}


def _provider_of(catalogue: Catalogue, model: str) -> str:
    return catalogue.resolve(model).provider
