"""The comparability ledger: on which terms an entry was measured, and what of them changed since another.

A change of prompt, parameters or, where questions are judged, of the judge begins a new epoch: scores on its
two sides can't be compared. A suite version adds and drops questions and the series goes on; whatever else
changed is told as a possible cause.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.questions.suites import Json, fingerprint

NAMED_QUESTIONS = 5
NOTHING_CHANGED = "Nothing on your side changed."
_CLIENTS = {"litellm": "LiteLLM", "driftwarden": "Driftwarden"}


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """How a question was asked. `input` and `target` are their texts or hashes of them; None: not known."""

    unit: str
    category: str
    cluster: str | None
    input: str | None
    target: str | None
    scorer: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class JudgeTerms:
    name: str
    version: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms an entry was measured. Questions are in suite order, by their keys.

    `judge` and `parameters` are None where they are not known, as in imported results; what is not known
    never differs from anything. `prompt` names the prompt and its version, None where there is none.
    """

    suite: str
    suite_version: int
    questions: Mapping[str, QuestionTerms]
    asks_judge: bool
    judge: JudgeTerms | None
    parameters: Mapping[str, Json] | None
    prompt: str | None
    repeats: int
    sample: int | None
    client_versions: Mapping[str, str]
    git_commit: str | None
    labels: Mapping[str, str]
    is_imported: bool = False

    @property
    def judge_in_use(self) -> JudgeTerms | None:
        """The judge, if it is known and any question asks it."""
        return self.judge if self.asks_judge else None


class ChangeKind(StrEnum):
    SUITE_QUESTIONS = "suite_questions"
    QUESTION_TEXT = "question_text"
    TARGET = "target"
    SCORER = "scorer"
    GROUPING = "grouping"
    JUDGE = "judge"
    PARAMETERS = "parameters"
    PROMPT = "prompt"
    REPEATS = "repeats"
    SAMPLE = "sample"
    CLIENT = "client"
    GIT_COMMIT = "git_commit"
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changed on the user's side. `headline` is a whole sentence; breaking: a new epoch."""

    kind: ChangeKind
    is_breaking: bool
    headline: str
    detail: Mapping[str, Json]


def comparability(terms: Terms) -> str:
    """64 hex digits: equal where prompt, parameters and, if questions are judged, the judge are equal."""
    return fingerprint(_breaking_facts(terms))


def epochs(sequence: Iterable[Terms]) -> list[str]:
    """The epoch of each entry of a sequence: the comparability of the terms that the epoch began with.

    What an entry does not know neither begins an epoch nor hides the change behind it: entries with judge 1,
    none, and judge 2 are two epochs. An entry's epoch does not depend on later entries.
    """
    found: list[str] = []
    known: dict[str, Json] = {}
    for terms in sequence:
        facts = _breaking_facts(terms)
        if not found or any(known.get(name, fact) != fact for name, fact in facts.items()):
            known = {}
            found.append(comparability(terms))
        else:
            found.append(found[-1])
        known |= facts
    return found


def _breaking_facts(terms: Terms) -> dict[str, Json]:
    facts: dict[str, Json] = {} if terms.is_imported else {"prompt": terms.prompt}
    if terms.parameters is not None:
        facts["parameters"] = dict(terms.parameters)
    if terms.judge_in_use is not None:
        facts["judge"] = terms.judge_in_use.content_hash
    return facts


def changes_between(before: Terms, after: Terms) -> tuple[Change, ...]:
    """All that changed on the user's side from one entry to a later one, what breaks the series first."""
    comparisons = (
        _judge, _parameters, _prompt, _suite_questions, _question_text, _target, _scorer, _grouping,
        _repeats, _sample, _git_commit, _labels, _clients,
    )  # fmt: skip
    found = (compare(before, after) for compare in comparisons)
    return tuple(change for change in found if change is not None)


def tell(changes: Sequence[Change], unknown: Sequence[str] = ()) -> str:
    """What changed on the user's side, in whole sentences; `unknown` as `unknown_between` gives it."""
    if changes:
        return " ".join(change.headline for change in changes)
    if unknown:
        names = " and ".join(unknown)
        return f"Nothing on your side is known to have changed; imported results do not tell their {names}."
    return NOTHING_CHANGED


def unknown_between(before: Terms, after: Terms) -> tuple[str, ...]:
    """Which of judge and parameters could not be compared because imported results do not tell them."""
    judged = any(terms.asks_judge and terms.judge is None for terms in (before, after))
    asked = any(terms.parameters is None for terms in (before, after))
    return ("judge",) * judged + ("parameters",) * asked


def _judge(before: Terms, after: Terms) -> Change | None:
    old, new = before.judge_in_use, after.judge_in_use
    if old is None or new is None or old.content_hash == new.content_hash:
        return None
    name = "" if new.name == old.name else f"{new.name} version "
    return Change(
        ChangeKind.JUDGE,
        True,
        f"You changed the judge: {old.name} version {old.version} -> {name}{new.version}.",
        {"before": f"{old.name} {old.version}", "after": f"{new.name} {new.version}"},
    )


def _parameters(before: Terms, after: Terms) -> Change | None:
    if before.parameters is None or after.parameters is None:
        return None
    changed = _differences(before.parameters, after.parameters)
    return _listed(ChangeKind.PARAMETERS, True, "You changed the parameters", changed)


def _prompt(before: Terms, after: Terms) -> Change | None:
    if before.is_imported or after.is_imported or before.prompt == after.prompt:
        return None
    told = f"{before.prompt or 'none'} -> {after.prompt or 'none'}"
    detail = {"before": before.prompt, "after": after.prompt}
    return Change(ChangeKind.PROMPT, True, f"You changed the prompt: {told}.", detail)


def _suite_questions(before: Terms, after: Terms) -> Change | None:
    """Questions added and dropped; one that only got another key is neither."""
    old_units = {question.unit for question in before.questions.values()}
    new_units = {question.unit for question in after.questions.values()}
    added = [
        key for key, q in after.questions.items() if key not in before.questions and q.unit not in old_units
    ]
    dropped = [
        key for key, q in before.questions.items() if key not in after.questions and q.unit not in new_units
    ]
    is_another_suite = before.suite != after.suite
    if not (added or dropped or is_another_suite):
        return None
    counts = [f"{_count(added)} added"] * bool(added) + [f"{_count(dropped)} dropped"] * bool(dropped)
    if is_another_suite:
        what = f"You changed the suite from {before.suite} to {after.suite}"
    else:
        what = f"You changed the questions of {after.suite} (version {before.suite_version} -> "
        what += f"{after.suite_version})"
    headline = f"{what}: {', '.join(counts)}." if counts else f"{what}."
    return Change(ChangeKind.SUITE_QUESTIONS, False, headline, {"added": added, "dropped": dropped})


def _question_text(before: Terms, after: Terms) -> Change | None:
    keys = _differing(before, after, lambda old, new: _differ(old.input, new.input))
    return _of_questions(ChangeKind.QUESTION_TEXT, "You rewrote", keys)


def _target(before: Terms, after: Terms) -> Change | None:
    keys = _differing(
        before,
        after,
        lambda old, new: not _differ(old.input, new.input) and _differ(old.target, new.target),
    )
    return _of_questions(ChangeKind.TARGET, "You changed the target of", keys)


def _scorer(before: Terms, after: Terms) -> Change | None:
    keys = _differing(
        before,
        after,
        lambda old, new: not _differ(old.input, new.input) and _differ(old.scorer, new.scorer),
    )
    return _of_questions(ChangeKind.SCORER, "You changed the scorer of", keys)


def _grouping(before: Terms, after: Terms) -> Change | None:
    keys = _differing(
        before, after, lambda old, new: (old.category, old.cluster) != (new.category, new.cluster)
    )
    return _of_questions(ChangeKind.GROUPING, "You changed the category or cluster of", keys)


def _repeats(before: Terms, after: Terms) -> Change | None:
    if before.is_imported or after.is_imported or before.repeats == after.repeats:
        return None
    return Change(
        ChangeKind.REPEATS,
        False,
        f"You changed how often each question is asked: {before.repeats} -> {after.repeats}.",
        {"before": before.repeats, "after": after.repeats},
    )


def _sample(before: Terms, after: Terms) -> Change | None:
    if before.is_imported or after.is_imported or before.sample == after.sample:
        return None
    told = f"{before.sample or 'all'} -> {after.sample or 'all'}"
    return Change(
        ChangeKind.SAMPLE,
        False,
        f"You changed how many of the questions are asked: {told}.",
        {"before": before.sample, "after": after.sample},
    )


def _git_commit(before: Terms, after: Terms) -> Change | None:
    old, new = before.git_commit, after.git_commit
    if not _differ(old, new) or old is None or new is None:
        return None
    headline = f"Your code changed: commit {old[:12]} -> {new[:12]}."
    return Change(ChangeKind.GIT_COMMIT, False, headline, {"before": old, "after": new})


def _labels(before: Terms, after: Terms) -> Change | None:
    if before.is_imported or after.is_imported:
        return None
    return _listed(
        ChangeKind.LABELS, False, "You changed the labels", _differences(before.labels, after.labels)
    )


def _clients(before: Terms, after: Terms) -> Change | None:
    changed = {
        _CLIENTS.get(name, name): change
        for name, change in _differences(before.client_versions, after.client_versions).items()
        if None not in change
    }
    return _listed(ChangeKind.CLIENT, False, "The client changed, a possible cause", changed)


def _differ(old: object, new: object) -> bool:
    """Whether both are known and not the same."""
    return old is not None and new is not None and old != new


def _differing(
    before: Terms, after: Terms, differ: Callable[[QuestionTerms, QuestionTerms], bool]
) -> list[str]:
    return [
        key
        for key, new in after.questions.items()
        if (old := before.questions.get(key)) is not None and differ(old, new)
    ]


def _differences(
    before: Mapping[str, Json], after: Mapping[str, Json]
) -> dict[str, tuple[Json | None, Json | None]]:
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)
    }


def _listed(
    kind: ChangeKind, is_breaking: bool, what: str, changed: Mapping[str, tuple[Json | None, Json | None]]
) -> Change | None:
    if not changed:
        return None
    told = ", ".join(f"{name} {_shown(old)} -> {_shown(new)}" for name, (old, new) in changed.items())
    detail: dict[str, Json] = {
        name: {"before": old, "after": new} for name, (old, new) in sorted(changed.items())
    }
    return Change(kind, is_breaking, f"{what}: {told}.", detail)


def _shown(value: Json | None) -> str:
    return "unset" if value is None else f"{value!s:.60}"


def _of_questions(kind: ChangeKind, what: str, keys: Sequence[str]) -> Change | None:
    if not keys:
        return None
    named = ", ".join(keys[:NAMED_QUESTIONS])
    rest = len(keys) - NAMED_QUESTIONS
    more = f" and {rest} more" if rest > 0 else ""
    return Change(kind, False, f"{what} {_count(keys)}: {named}{more}.", {"questions": list(keys)})


def _count(keys: Sequence[str]) -> str:
    return "1 question" if len(keys) == 1 else f"{len(keys)} questions"
