"""What a simulated provider is told: its models, what they know, how they fail and when they change."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import yaml
from pydantic import BaseModel, Discriminator, Field, Tag, ValidationError, field_validator, model_validator

from services.simulator.behaviour import (
    AssistantBehaviour,
    ControlBehaviour,
    JudgeBehaviour,
    ReplayBehaviour,
    Strict,
    changed,
)
from shared.domain.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)
Night = Annotated[int, Field(ge=0, description="From this night on, this changes.")]
_NAME = re.compile(r"[^\s\x00-\x1f\x7f]+")
_ERRORS_SHOWN = 5
_WORDINGS = {"extra_forbidden": "There is no such field", "missing": "This field is missing"}


class AssistantChange(AssistantBehaviour):
    night: Night

    @model_validator(mode="after")
    def _know_every_category(self) -> "AssistantChange":
        return self  # a change may name one category: the others keep what they had


class JudgeChange(JudgeBehaviour):
    night: Night


class ControlChange(ControlBehaviour):
    night: Night


class ReplayChange(ReplayBehaviour):
    night: Night


class Assistant(AssistantBehaviour):
    kind: Literal["assistant"] = "assistant"
    drift: tuple[AssistantChange, ...] = ()


class Judge(JudgeBehaviour):
    kind: Literal["judge"] = "judge"
    drift: tuple[JudgeChange, ...] = ()


class Control(ControlBehaviour):
    kind: Literal["control"] = "control"
    drift: tuple[ControlChange, ...] = ()


class Replay(ReplayBehaviour):
    kind: Literal["replay"] = "replay"
    drift: tuple[ReplayChange, ...] = ()


def _kind(model: Any) -> str:
    kind = (
        model.get("kind", "assistant") if isinstance(model, Mapping) else getattr(model, "kind", "assistant")
    )
    return str(kind)


AnyModel: TypeAlias = Annotated[
    Annotated[Assistant, Tag("assistant")]
    | Annotated[Judge, Tag("judge")]
    | Annotated[Control, Tag("control")]
    | Annotated[Replay, Tag("replay")],
    Discriminator(_kind),
]
AnyChange: TypeAlias = AssistantChange | JudgeChange | ControlChange | ReplayChange
_CHANGES: dict[type[BaseModel], type[BaseModel]] = {
    Assistant: AssistantChange,
    Judge: JudgeChange,
    Control: ControlChange,
    Replay: ReplayChange,
}


def changes_in_order(model: Assistant | Judge | Control | Replay) -> list[AnyChange]:
    """A model's changes by night; those of one night as they are listed."""
    changes: tuple[AnyChange, ...] = model.drift
    return sorted(changes, key=lambda change: change.night)


class SimulatorConfig(Strict):
    """A whole simulated provider. Paths are relative to the folder of the file that names them."""

    seed: int = 0
    epoch: date | None = Field(
        default=None, description="The date (UTC) of night 1; absent: nights are set by hand."
    )
    night: int = Field(default=1, ge=0, description="The night to begin with where no epoch is given.")
    suites: tuple[str, ...] = Field(default=(), description="Suite files whose references the models know.")
    replay: str | None = Field(default=None, description="Recorded answers, JSONL or JSONL.gz, one a row.")
    api_key: str | None = Field(default=None, description="If given, requests without it are answered 401.")
    admin: bool = Field(default=True, description="Whether /admin may read and change this configuration.")
    models: dict[str, AnyModel] = Field(default_factory=dict)

    @field_validator("models")
    @classmethod
    def _refuse_unusable_names(cls, models: dict[str, AnyModel]) -> dict[str, AnyModel]:
        for name in models:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} cannot be a model's name: use no spaces and no control characters"
                )
        return models

    @model_validator(mode="after")
    def _play_every_night_once(self) -> "SimulatorConfig":
        for name, model in self.models.items():
            if isinstance(model, Assistant):
                self._refuse_circle(name, (name,))
            behaviour: BaseModel = model
            for change in changes_in_order(model):
                try:
                    behaviour = changed(behaviour, change)
                except ValidationError as error:
                    first = error.errors()[0]
                    raise ValueError(f"{name}, drift of night {change.night}: {first['msg']}") from None
        return self

    def _refuse_circle(self, name: str, path: tuple[str, ...]) -> None:
        model = self.models.get(name)
        if not isinstance(model, Assistant):
            raise ValueError(f"{path[0]}: like: {name!r} is not an assistant among the models")
        for other in (model.like, *(change.like for change in model.drift)):
            if other is None:
                continue
            if other in path:
                raise ValueError(f"{path[0]}: like: {' -> '.join((*path, other))} goes round in a circle")
            self._refuse_circle(other, (*path, other))

    def with_change(self, name: str, fields: Mapping[str, Any], night: int) -> "SimulatorConfig":
        """This configuration with one more change, from `night` on. InvalidInput if it is wrong."""
        model = self.models[name]
        change = _validated(_CHANGES[type(model)], {**fields, "night": night}, f"models.{name}")
        later = model.model_copy(update={"drift": (*model.drift, change)})
        models = {**self.models, name: later}
        return _validated(SimulatorConfig, {**dict(self), "models": models}, "")

    def as_json(self) -> dict[str, Any]:
        """What was given, without the defaults, as PUT /admin/config takes it back."""
        return self.model_dump(mode="json", exclude_unset=True)


def read_config(path: Path) -> SimulatorConfig:
    """Read a configuration file (YAML or JSON). InvalidInput names the file, the field and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(str(path), f"it cannot be read ({error}).", "Name a YAML or JSON file.") from None
    return parse_config(text, str(path))


def parse_config(text: str | bytes, source: str) -> SimulatorConfig:
    """Parse a configuration (YAML or JSON); `source` says in errors where it came from."""
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(source, f"it is not YAML: {error}.") from None
    if not isinstance(content, dict):
        raise InvalidInput(source, "it holds no fields.", "Begin with `models:`.")
    return _validated(SimulatorConfig, content, source)


def _validated(shape: type[M], content: Mapping[str, Any], source: str) -> M:
    try:
        return shape.model_validate(content)
    except ValidationError as error:
        problems = [
            (
                ".".join(_place(content, problem["loc"], problem["type"] == "missing")),
                _WORDINGS.get(problem["type"], problem["msg"]),
            )
            for problem in error.errors(include_url=False)[:_ERRORS_SHOWN]
        ]
    field, problem = problems[0]
    where = ": ".join(part for part in (source, field) if part)
    others = "".join(f"; {field}: {problem}" for field, problem in problems[1:])
    raise InvalidInput(where, f"{problem}{others}.")


def _place(node: Any, location: tuple[int | str, ...], is_missing: bool) -> list[str]:
    """The path of a mistake as the person wrote it, without the names of the alternatives that were tried."""
    place = []
    for depth, part in enumerate(location, 1):
        is_index = isinstance(node, list | tuple) and isinstance(part, int) and part < len(node)
        if is_index or (isinstance(node, Mapping) and part in node):
            node = node[part]
        elif not (is_missing and depth == len(location)):
            continue
        place.append(str(part))
    return place
