"""How one simulated model behaves; every field can change on a night of its own."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """Values from a person's file: an unknown field is a mistake, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Latency(Strict):
    """Seconds until the reply; `variation` is the law's standard deviation over its mean."""

    mean_seconds: float = Field(ge=0)
    law: Literal["constant", "lognormal", "gamma"] = "lognormal"
    variation: float = Field(default=0.5, gt=0, le=10)


class Tokens(Strict):
    """Usage as reported: fixed counts, or a quarter of the characters, the output's times `output_scale`."""

    input: int | None = Field(default=None, ge=0)
    output: int | None = Field(default=None, ge=0)
    output_scale: float = Field(default=1.0, gt=0)


class Faults(Strict):
    """Shares of requests that go wrong; each request draws one of these or none."""

    rate_limited: Share = 0.0
    server_error: Share = 0.0
    hang: Share = 0.0
    malformed: Share = 0.0
    content_filter: Share = 0.0
    empty: Share = 0.0
    truncated: Share = 0.0
    refusal: Share = 0.0

    @model_validator(mode="after")
    def _leave_room_for_answers(self) -> "Faults":
        _refuse_more_than_all(self)
        return self


def _refuse_more_than_all(shares: BaseModel) -> None:
    total = sum(share for _, share in shares)
    if total > 1 + 1e-9:
        raise ValueError(f"the shares add up to {total:g}: keep them within 1")


class Limits(Strict):
    """Beyond these a request is answered 429 with Retry-After, or 400 where the context is too long."""

    in_flight: int | None = Field(default=None, ge=1)
    requests_per_minute: int | None = Field(default=None, ge=1)
    retry_after_seconds: float = Field(default=1.0, ge=0)
    context_tokens: int | None = Field(default=None, ge=1)


class Behaviour(Strict):
    """What models of every kind have in common."""

    served_model: str | None = Field(
        default=None, description="The `model` of replies; its own name if absent."
    )
    system_fingerprint: str | None = None
    latency: Annotated[float, Field(ge=0)] | Latency | None = Field(
        default=None,
        description="Seconds, the same for every reply, or a law. Absent: at once, or as recorded.",
    )
    tokens: Tokens = Tokens()
    faults: Faults = Faults()
    limits: Limits = Limits()
    output: Literal["plain", "fenced", "chatty"] = Field(
        default="plain", description="The answer alone, inside a code fence, or behind a polite sentence."
    )


class Drop(Strict):
    """A loss of `points` (0.1: ten points) in a category or in all, borne by a random `share` of it."""

    points: Share
    share: float = Field(default=1.0, gt=0, le=1)
    category: str | None = None


class AssistantBehaviour(Behaviour):
    """A model that answers the questions of the suites rightly with a certain chance."""

    skill: Share | dict[str, Share] = Field(
        default=0.8, description="Share of right answers: one number, or one per category with a `default`."
    )
    noise: Share = Field(default=0.02, description="Share of answers turned from right to wrong or back.")
    steady: bool = Field(
        default=False, description="Each question is always right or always wrong (before noise)."
    )
    night_noise: float = Field(
        default=0.0, ge=0, le=0.5, description="Standard deviation of skill between nights."
    )
    drop: Drop | None = None
    decay: float = Field(
        default=0.0, ge=0, le=1, description="Skill lost each night after the one it is set for."
    )
    like: str | None = Field(
        default=None, description="Behaves as this other model does, under its own name."
    )

    def skill_in(self, category: str) -> float:
        if isinstance(self.skill, dict):
            return self.skill.get(category, self.skill["default"])
        return self.skill

    @model_validator(mode="after")
    def _know_every_category(self) -> "AssistantBehaviour":
        if isinstance(self.skill, dict) and "default" not in self.skill:
            raise ValueError("skill by category needs a `default` for the categories that are not named")
        return self


class Formats(Strict):
    """Shares of verdicts that are written so that they are hard or impossible to read."""

    fenced: Share = 0.0
    prose: Share = 0.0
    latex: Share = 0.0
    off_scale: Share = 0.0
    unparsable: Share = 0.0

    @model_validator(mode="after")
    def _leave_room_for_plain(self) -> "Formats":
        _refuse_more_than_all(self)
        return self


class Borderline(Strict):
    """A random share of (question, answer) pairs earns partial credit: `right` if right, else `wrong`."""

    share: Share = 0.0
    right: Share = 0.6
    wrong: Share = 0.4


class JudgeBehaviour(Behaviour):
    """A model that reads a judging prompt and replies with a verdict."""

    noise: Share = Field(default=0.0, description="Share of verdicts turned over (score s becomes 1 - s).")
    borderline: Borderline = Borderline()
    shift: float = Field(
        default=0.0, ge=-1, le=1, description="Added to the score: below 0 severe, above lenient."
    )
    shift_on: Literal["all", "borderline"] = "all"
    pass_at: Share = 0.5
    formats: Formats = Formats()


class ControlBehaviour(Behaviour):
    """A model that cannot drift: its reply is a function of the input alone, the same bytes every time."""

    reply: Literal["reference", "digest"] = Field(
        default="reference",
        description="The known question's reference, or a digest of the whole conversation.",
    )


class ReplayBehaviour(Behaviour):
    """A model that repeats recorded answers; without a `latency` it also takes as long as they took."""


B = TypeVar("B", bound=BaseModel)


def changed(before: B, change: BaseModel) -> B:
    """`before` with every field that `change` names; inside a group of fields only those named there."""
    named = {
        name: _merged(getattr(before, name), getattr(change, name))
        for name in change.model_fields_set & type(before).model_fields.keys()
    }
    return type(before).model_validate({**dict(before), **named})


def _merged(old: Any, new: Any) -> Any:
    match old, new:
        case dict(), dict():
            return old | new
        case int() | float(), dict():
            return {"default": old} | new
        case BaseModel(), BaseModel() if type(old) is type(new):
            return changed(old, new)
        case _:
            return new
