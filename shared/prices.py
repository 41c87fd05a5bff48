"""List prices, read as data from the price file that LiteLLM installs. LiteLLM itself is never imported.

A listed price of zero is believed for servers on one's own machine only: elsewhere the list writes zero for
models that are billed by the hour or that nobody has filled in, and an unknown price is not zero.
"""

import json
import re
from decimal import Decimal
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from shared.domain.cost import Price

FILE_NAME = "model_prices_and_context_window_backup.json"
PROVIDERS_ON_OWN_MACHINE = frozenset({"ollama", "ollama_chat", "lemonade"})
# The list's name of a provider where it differs from, or is longer than, the prefix of the model string.
LISTED_PROVIDERS = {
    "azure_ai": ("azure_ai", "azure", "openai"),
    "cohere": ("cohere",),
    "vertex_ai": ("vertex_ai",),
    "fireworks_ai": ("fireworks_ai",),
    "bedrock": ("bedrock",),
}
SNAPSHOT_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")
GOOGLE_VERSION = re.compile(r"-\d+$")


def find_list_price(model: str) -> Price | None:
    """The list price of a LiteLLM model string such as `openai/gpt-4o`; None if it is unknown.

    Looked up in LiteLLM's order: the whole string, the string without its provider where the list names the
    same provider, then both without a snapshot date or version.
    """
    provider, slash, rest = model.partition("/")
    names = [model, rest] if slash else [model]
    version = GOOGLE_VERSION if provider in ("gemini", "vertex_ai", "databricks") else SNAPSHOT_DATE
    for name in [*names, *(version.sub("", name) for name in names)]:
        listed = _price_list().get(name.lower())
        if listed is not None and (not slash or _is_same_provider(provider, listed[0])):
            return listed[1]
    return None


def _is_same_provider(provider: str, listed: str) -> bool:
    if provider in LISTED_PROVIDERS:
        return listed.startswith(LISTED_PROVIDERS[provider])
    return listed == provider


@cache
def _price_list() -> dict[str, tuple[str, Price | None]]:
    """Model in lower case -> provider and price (None: not billed by the token). Empty without LiteLLM."""
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        return {}
    entries = json.loads((Path(spec.origin).parent / FILE_NAME).read_bytes(), parse_float=Decimal)
    return {
        model.lower(): (provider, _read_price(provider, entry))
        for model, entry in entries.items()
        if isinstance(provider := entry.get("litellm_provider"), str)
    }


def _read_price(provider: str, entry: dict[str, object]) -> Price | None:
    read, written = entry.get("input_cost_per_token"), entry.get("output_cost_per_token")
    if not isinstance(read, int | Decimal) or not isinstance(written, int | Decimal):
        return None
    if not read and not written and provider not in PROVIDERS_ON_OWN_MACHINE:
        return None
    return Price(Decimal(read), Decimal(written))
