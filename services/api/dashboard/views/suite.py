"""What the page of one suite shows: its versions, categories, what it can detect, and its questions."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from services.api.dashboard import numbers
from services.api.dashboard.views.suites import (
    Detects,
    describe_detection,
    name_scoring,
    read_budget,
    sizes_to_tell,
)
from services.api.desk import Desk
from services.api.problems import NotFound
from shared.db import suites
from shared.db.pool import Connection
from shared.db.suites import SuiteVersion
from shared.domain.questions.suites import Question

SHOWN = 50
SHOWN_CATEGORIES = 100


@dataclass(frozen=True, slots=True)
class CategoryRow:
    name: str
    questions: int
    share: float
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class VersionRow:
    version: int
    questions: int
    stored: str
    hash: str
    address: str
    is_shown: bool


@dataclass(frozen=True, slots=True)
class QuestionRow:
    id: str
    category: str
    input: str
    target: str
    scorer: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Suite:
    """One version. `every` and `next` are addresses: of all its questions, and of those after these."""

    name: str
    version: int
    newest: int
    questions: int
    scored_by: str
    stored: str
    is_runnable: bool
    category: str
    categories: tuple[CategoryRow, ...]
    categories_in_all: int
    every: str
    detects: tuple[Detects, ...]
    versions: tuple[VersionRow, ...]
    rows: tuple[QuestionRow, ...]
    next: str


async def read_suite(
    connection: Connection,
    desk: Desk,
    suite: SuiteVersion,
    *,
    category: str | None = None,
    after: int = 0,
) -> Suite:
    """
    Raises:
        NotFound: this version has no such category.
    """
    counts = await suites.count_by_category(connection, suite.id)
    if category is not None and category not in dict(counts):
        raise NotFound(f"{suite.name!r} has no category {category!r} in version {suite.version}.")
    versions = await suites.list_versions(connection, suite.name)
    budget = await read_budget(connection, desk)
    found = await suites.list_questions(connection, suite.id, category=category, after=after, limit=SHOWN + 1)
    page, kept = found[:SHOWN], {} if suite.version == versions[0].version else {"version": suite.version}
    onward = {**kept, **({"category": category} if category else {}), "after": page[-1][0] if page else 0}
    return Suite(
        name=suite.name,
        version=suite.version,
        newest=versions[0].version,
        questions=suite.questions,
        scored_by=name_scoring(suite),
        stored=numbers.moment(suite.created_at),
        is_runnable=suite.is_runnable,
        category=category or "",
        categories=tuple(
            CategoryRow(
                name,
                size,
                size / suite.questions,
                _address(suite, {**kept, "category": name}),
                name == category,
            )
            for name, size in counts[:SHOWN_CATEGORIES]
        ),
        categories_in_all=len(counts),
        every=_address(suite, kept),
        detects=tuple(describe_detection(size, budget) for size in sizes_to_tell(suite.questions)),
        versions=tuple(_describe_version(one, one.version == suite.version) for one in versions),
        rows=tuple(_describe_question(question) for _, question in page),
        next=_address(suite, onward) if len(found) > SHOWN else "",
    )


def _address(suite: SuiteVersion, query: Mapping[str, object]) -> str:
    return f"/suites/{suite.name}{'?' if query else ''}{urlencode(query)}#questions"


def _describe_version(one: SuiteVersion, is_shown: bool) -> VersionRow:
    return VersionRow(
        one.version, one.questions, numbers.moment(one.created_at), one.content_hash[:12],
        f"/suites/{one.name}?version={one.version}", is_shown,
    )  # fmt: skip


def _describe_question(question: Question) -> QuestionRow:
    options = ", ".join(f"{name} {value}" for name, value in question.scorer.options.items())
    scorer = f"{question.scorer.name} ({options})" if options else question.scorer.name
    return QuestionRow(
        question.id, question.category, question.input, question.target, scorer, question.cluster or ""
    )
