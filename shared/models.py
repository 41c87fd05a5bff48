"""The model catalogue: `models.yaml` in LiteLLM's `model_list` form, and any `provider/model` string."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from shared.domain.cost import Price
from shared.domain.errors import InvalidInput
from shared.domain.questions.suites import Json
from shared.model_file import Section, read_model_file
from shared.prices import find_list_price

PROVIDER_AND_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[^/\s*][^\s*]*")
ENVIRONMENT_REFERENCE = "os.environ/"
NO_KEY = "none"
# Sections of a LiteLLM configuration that speak to its proxy and router, not to us.
IGNORED_SECTIONS = frozenset(
    {"litellm_settings", "router_settings", "general_settings", "environment_variables", "credential_list"}
)
REFUSED_PARAMETERS = {
    "num_retries": "Remove it: the workers count and space the attempts.",
    "max_retries": "Remove it: the workers count and space the attempts.",
    "fallbacks": "Remove it: another model would answer in this one's name.",
    "stream": "Remove it: answers are read whole.",
    "n": "Remove it: the repeats of a run ask for several answers.",
    "messages": "Remove it: the questions come from the suite.",
}


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model that can be asked. A value of None was not stated: the defaults of the settings hold.

    `prices` is None where no price is known. `extra` holds the LiteLLM parameters that go with each call.
    `api_key_env` is the NAME of an environment variable, never a key. A control is a deterministic model that
    cannot drift: if it moves, the harness moved.
    """

    name: str
    litellm_model: str
    api_base: str | None = None
    api_key_env: str | None = None
    timeout_seconds: float | None = None
    rpm: int | None = None
    tpm: int | None = None
    max_parallel_requests: int | None = None
    prices: Price | None = None
    priced_as: str | None = None
    is_control: bool = False
    extra: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    @property
    def provider(self) -> str:
        """Who serves it, as LiteLLM names them: `openai` of `openai/gpt-4o`."""
        return self.litellm_model.partition("/")[0]

    def call_parameters(
        self, environment: Mapping[str, str], own_key: SecretStr | None = None
    ) -> dict[str, Json]:
        """What LiteLLM needs for a call beside messages and timeout, secrets included: never log it.

        A key of the run's own takes the place of the one that the model has.

        Raises InvalidInput if an environment variable that the model names is not set.
        """
        parameters: dict[str, Json] = {"model": self.litellm_model, **self.extra}
        if self.api_base is not None:
            parameters["api_base"] = self.api_base
        if self.api_key_env is not None and own_key is None:
            parameters["api_key"] = ENVIRONMENT_REFERENCE + self.api_key_env
        for key, value in parameters.items():
            if isinstance(value, str):
                parameters[key] = _resolve(f"{key} of model {self.name}", value, environment)
        if own_key is not None:
            parameters["api_key"] = own_key.get_secret_value()
        return parameters


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The models that people can name. `entries` are as stated in the file, without list prices."""

    entries: Mapping[str, ModelEntry]
    default_judge: str | None = None

    @classmethod
    def load(cls, path: Path | None, environment: Mapping[str, str]) -> "Catalogue":
        """Read `models.yaml`; without a path, `provider/model` strings are all there is.

        Raises InvalidInput that names file and field.
        """
        if path is None:
            return cls(MappingProxyType({}))
        content = read_model_file(path)
        sections, judge = content.take_entries("model_list"), content.take_section("judge")
        content.refuse_rest(allowed=IGNORED_SECTIONS)
        entries: dict[str, ModelEntry] = {}
        for section in sections:
            entry = _read_entry(section, environment)
            if entry.name in entries:
                problem = f"{entry.name!r} appears twice: sharing load under one name would mix two models."
                raise InvalidInput(section.at("model_name"), problem, "Give every entry its own name.")
            entries[entry.name] = entry
        catalogue = cls(MappingProxyType(entries), judge.take_text("model"))
        judge.refuse_rest()
        if catalogue.default_judge is not None:
            try:
                catalogue.resolve(catalogue.default_judge)
            except InvalidInput as error:
                raise InvalidInput(judge.at("model"), error.problem, error.remedy) from None
        return catalogue

    def names(self) -> tuple[str, ...]:
        """The names in `models.yaml`, in file order, judges and controls included."""
        return tuple(self.entries)

    def controls(self) -> tuple[str, ...]:
        """The names of the controls, in file order: models that cannot drift."""
        return tuple(entry.name for entry in self.entries.values() if entry.is_control)

    def max_parallel_requests(self, name: str) -> int | None:
        """How many calls of a model may be in flight at once; None: not stated."""
        entry = self.entries.get(name)
        return entry.max_parallel_requests if entry else None

    def per_minute(self, name: str) -> tuple[int | None, int | None]:
        """How many calls and how many tokens of a model a minute allows; None: not stated."""
        entry = self.entries.get(name)
        return (entry.rpm, entry.tpm) if entry else (None, None)

    def is_control(self, name: str) -> bool:
        entry = self.entries.get(name)
        return entry is not None and entry.is_control

    def resolve(self, name: str) -> ModelEntry:
        """The entry of that name, else the `provider/model` string itself; list prices where none are stated.

        Raises InvalidInput("model") for any other name.
        """
        entry = self.entries.get(name)
        if entry is None:
            if not PROVIDER_AND_MODEL.fullmatch(name) or not name.isprintable():
                known = f"Known: {', '.join(self.entries)}; or use" if self.entries else "Use"
                raise InvalidInput("model", f"{name!r} is not in models.yaml.", f"{known} provider/model.")
            entry = ModelEntry(name, name)
        if entry.prices is None:
            entry = replace(entry, prices=find_list_price(entry.priced_as or entry.litellm_model))
        return entry


def _read_entry(section: Section, environment: Mapping[str, str]) -> ModelEntry:
    name = section.take_text("model_name")
    parameters, info = section.take_section("litellm_params"), section.take_section("model_info")
    section.refuse_rest()
    if name is None or not name.isprintable() or " " in name or "*" in name:
        remedy = (
            "Write a name without spaces, control characters or wildcards; provider/model needs no entry."
        )
        raise InvalidInput(section.at("model_name"), f"{name!r} cannot name a model.", remedy)
    model, api_base = parameters.take_text("model"), parameters.take_text("api_base")
    if model is None:
        raise InvalidInput(parameters.at("model"), "is missing.", "Name it as LiteLLM does: openai/gpt-4o.")
    for refused in parameters.values.keys() & REFUSED_PARAMETERS.keys():
        raise InvalidInput(parameters.at(refused), "cannot be set here.", REFUSED_PARAMETERS[refused])
    return ModelEntry(
        name=name,
        litellm_model=model,
        api_base=None if api_base is None else _resolve(parameters.at("api_base"), api_base, environment),
        api_key_env=_take_key_name(parameters),
        timeout_seconds=parameters.take_seconds("timeout"),
        rpm=parameters.take_count("rpm"),
        tpm=parameters.take_count("tpm"),
        max_parallel_requests=parameters.take_count("max_parallel_requests"),
        prices=parameters.take_price() or info.take_price(),
        priced_as=info.take_text("base_model"),
        is_control=info.take_flag("control") or False,
        extra=MappingProxyType(parameters.values),
    )


def _take_key_name(parameters: Section) -> str | None:
    """The NAME in `os.environ/NAME`. The word `none`, for a server without keys, is passed on as the key."""
    key = parameters.take_text("api_key")
    if key is None:
        return None
    if key == NO_KEY:
        parameters.values["api_key"] = NO_KEY
        return None
    variable = key.removeprefix(ENVIRONMENT_REFERENCE)
    if variable in (key, ""):
        remedy = (
            f"Write {ENVIRONMENT_REFERENCE}NAME and set the variable NAME, or {NO_KEY} if none is needed."
        )
        raise InvalidInput(parameters.at("api_key"), "a key does not belong into a file.", remedy)
    return variable


def _resolve(where: str, value: str, environment: Mapping[str, str]) -> str:
    """The value of `os.environ/NAME`; any other text as it is."""
    if not value.startswith(ENVIRONMENT_REFERENCE):
        return value
    variable = value.removeprefix(ENVIRONMENT_REFERENCE)
    if not environment.get(variable):
        raise InvalidInput(
            where, f"the environment variable {variable} is not set.", "Set it and start again."
        )
    return environment[variable]
