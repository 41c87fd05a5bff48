"""Golden suites: questions with references, identified by their content."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from shared.domain.errors import InvalidInput

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

DEFAULT_CATEGORY = "general"
DEFAULT_SCORER = "llm-rubric"


def fingerprint(value: Json) -> str:
    """SHA-256 (64 hex digits) of a value's canonical JSON: sorted keys, no spaces, UTF-8."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Scorer:
    """How an answer becomes a score: a scorer's name and its options, as in promptfoo's assertions."""

    name: str = DEFAULT_SCORER
    options: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))

    def as_json(self) -> dict[str, Json]:
        return {"name": self.name, **self.options}

    @classmethod
    def from_json(cls, stored: Mapping[str, Json]) -> "Scorer":
        options = {key: value for key, value in stored.items() if key != "name"}
        return cls(str(stored["name"]), MappingProxyType(options))

    @property
    def asks_the_judge(self) -> bool:
        """Whether a judge model is needed; in an assert-set one such assertion is enough."""
        if self.name == "assert-set":
            parts = self.options.get("assert", ())
            assert isinstance(parts, Sequence)
            return any(isinstance(part, Mapping) and part.get("type") == "llm-rubric" for part in parts)
        return self.name == "llm-rubric"


@dataclass(frozen=True, slots=True)
class Question:
    """One golden question: `target` is the reference answer, `cluster` names questions that fall together."""

    id: str
    category: str
    input: str
    target: str
    scorer: Scorer = field(default_factory=Scorer)
    cluster: str | None = None

    @property
    def unit(self) -> str:
        """The unit identity: what makes tonight's question the same question as last night's.

        Imported history may know no input; there the id has to tell questions apart.
        """
        asked = [self.input] if self.input else ["", self.id]
        return fingerprint([*asked, self.target, self.scorer.as_json(), self.cluster])


@dataclass(frozen=True, slots=True)
class SuiteContent:
    """The questions of one suite version, in file order. Ids are unique; there is at least one question."""

    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        if not self.questions:
            raise InvalidInput("suite", "it holds no question.", "Add at least one row.")
        seen: set[str] = set()
        for question in self.questions:
            if question.id in seen:
                raise InvalidInput("id", f"{question.id!r} appears twice.", "Give every question its own id.")
            seen.add(question.id)

    @property
    def content_hash(self) -> str:
        """Equal exactly when ids, categories and units are equal, in whatever order the file has them."""
        return fingerprint([[q.id, q.category, q.unit] for q in sorted(self.questions, key=lambda q: q.id)])


def sample(questions: Sequence[Question], size: int) -> list[Question]:
    """Choose `size` questions, spread evenly over the categories; the same suite gives the same choice.

    Within a category the order is that of the unit hash, so two runs that sample one suite can be paired.
    """
    by_category: dict[str, list[Question]] = defaultdict(list)
    for question in questions:
        by_category[question.category].append(question)
    ranked: list[tuple[float, str, Question]] = []
    for members in by_category.values():
        members.sort(key=lambda q: q.unit)
        ranked += [((rank + 0.5) / len(members), q.unit, q) for rank, q in enumerate(members)]
    ranked.sort(key=lambda entry: entry[:2])
    chosen = {question.id for _, _, question in ranked[:size]}
    return [question for question in questions if question.id in chosen]
