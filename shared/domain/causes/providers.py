"""Providers: whose models moved together on one night."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

LEAST_MODELS = 2


@dataclass(frozen=True, slots=True)
class ProviderIncident:
    """Models of one provider that moved on one night, out of all of its models that are watched."""

    provider: str
    moved: tuple[str, ...]
    watched: int
    sentence: str


def name_provider(litellm_model: str, api_base: str | None) -> str:
    """Who answers: LiteLLM's name for the provider, and the host where one is stated."""
    provider = litellm_model.partition("/")[0]
    host = urlsplit(api_base).netloc.rpartition("@")[2] if api_base else ""
    return f"{provider} at {host}" if host else provider


def find_provider_incidents(
    moved: Collection[str], providers: Mapping[str, str]
) -> tuple[ProviderIncident, ...]:
    """Providers of whose models at least two, and at least half, moved on one night.

    `providers` maps every watched model to its provider. Where half of the models moved at every one of
    several providers, it is no provider's doing, and the answer is empty.
    """
    models: dict[str, list[str]] = {}
    for model, provider in providers.items():
        models.setdefault(provider, []).append(model)
    struck = {
        provider: tuple(model for model in its if model in moved)
        for provider, its in models.items()
        if 2 * sum(model in moved for model in its) >= len(its)
    }
    if len(models) > 1 and struck.keys() == models.keys():
        return ()
    return tuple(
        ProviderIncident(provider, its, len(models[provider]), _tell(provider, its, len(models[provider])))
        for provider, its in struck.items()
        if len(its) >= LEAST_MODELS
    )


def _tell(provider: str, moved: tuple[str, ...], watched: int) -> str:
    which = f"All {watched}" if len(moved) == watched else f"{len(moved)} of {watched}"
    return f"{which} watched models of {provider} moved on the same night: {', '.join(moved)}."
