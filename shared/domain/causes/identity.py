"""What models say of themselves from entry to entry, and when that changed.

Providers name the model that answered, and some a fingerprint of its configuration; many do neither. A change
of either is worth telling, but a stable fingerprint is no proof of a stable model.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.causes.claims import read_claim

SWITCH_ANSWERS = 10
ROSE_BY = 0.25


@dataclass(frozen=True, slots=True)
class Reported:
    """One thing that a provider reported with some answers of an entry, and when it first and last did."""

    value: str
    answers: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """What was said about one model in one entry; nothing where nothing was said."""

    served_models: tuple[Reported, ...] = ()
    fingerprints: tuple[Reported, ...] = ()
    says_it_is: str | None = None

    @property
    def served_model(self) -> str | None:
        """What most answers came from, after a switch in mid-run if there was one."""
        return _most(latest(self.served_models))

    @property
    def fingerprint(self) -> str | None:
        return _most(latest(self.fingerprints))


class IdentityKind(StrEnum):
    SERVED_MODEL = "served_model"
    SYSTEM_FINGERPRINT = "system_fingerprint"
    SAYS_IT_IS = "says_it_is"


@dataclass(frozen=True, slots=True)
class IdentityChange:
    """One change in what was said; `is_mid_run`: the later entry itself began with the old value."""

    kind: IdentityKind
    before: str
    after: str
    is_mid_run: bool = False


def latest(reported: Sequence[Reported]) -> tuple[Reported, ...]:
    """What was reported last: all of it, or what came after a switch.

    A provider switched where at least SWITCH_ANSWERS answers with some values were all over before as many
    with others began; that hardly ever happens to requests shared out by chance (2 of 184,756).
    """
    begun = sorted(reported, key=lambda one: one.first_at)
    for place in range(len(begun) - 1, 0, -1):
        old, new = begun[:place], begun[place:]
        is_apart = max(one.last_at for one in old) <= new[0].first_at and old[0].first_at < new[0].first_at
        if is_apart and min(_answers(old), _answers(new)) >= SWITCH_ANSWERS:
            return tuple(new)
    return tuple(reported)


def changes_of_identity(before: Identity, after: Identity) -> tuple[IdentityChange, ...]:
    """What a model says of itself in an entry, against what was known before it.

    Providers share requests out over several servers: fingerprints changed where none is left of the old
    ones; a served model where most answers now come from another one, and a quarter more of them than before.
    """
    changes = (
        _served_model(before, after),
        _fingerprint(before, after),
        _says_it_is(before.says_it_is, after.says_it_is),
    )
    return tuple(change for change in changes if change is not None)


def follow(identities: Iterable[Identity]) -> list[tuple[IdentityChange, ...]]:
    """The changes of one model at each of its entries, in order, against what was last known of it."""
    known = Identity()
    found = []
    for identity in identities:
        found.append(changes_of_identity(known, identity))
        known = Identity(
            identity.served_models or known.served_models,
            identity.fingerprints or known.fingerprints,
            identity.says_it_is if _name(identity.says_it_is) else known.says_it_is,
        )
    return found


def tell_identity(changes: Sequence[IdentityChange], now: Identity) -> str:
    """What happened to a model's identity, in whole sentences, given what is said of it now."""
    if changes:
        return " ".join(_sentence(change) for change in changes)
    if now.served_model is None and now.fingerprint is None:
        return "The provider reports nothing about which model answers."
    said = [] if now.served_model is None else [f"model {now.served_model}"]
    said += [] if now.fingerprint is None else [f"fingerprint {now.fingerprint}"]
    others = len(latest(now.served_models)) > 1 or len(latest(now.fingerprints)) > 1
    among = ", among others" if others else ""
    return (
        f"The provider reports no change ({', '.join(said)}{among}), which does not prove that there is none."
    )


def _served_model(before: Identity, after: Identity) -> IdentityChange | None:
    old, new = latest(before.served_models), latest(after.served_models)
    became = _most(new)
    was = _most([one for one in old if one.value != became])
    if was is None or became is None:
        return None
    share_before, share_now = _share(old, became), _share(new, became)
    took_over = share_before <= 0.5 < share_now and share_now - share_before >= ROSE_BY
    if not (took_over or _values(old).isdisjoint(_values(new))):
        return None
    is_mid_run = was in _values(after.served_models) - _values(new)
    return IdentityChange(IdentityKind.SERVED_MODEL, was, became, is_mid_run)


def _fingerprint(before: Identity, after: Identity) -> IdentityChange | None:
    old, new = latest(before.fingerprints), latest(after.fingerprints)
    if not old or not new or not _values(old).isdisjoint(_values(new)):
        return None
    is_mid_run = not _values(old).isdisjoint(_values(after.fingerprints))
    return IdentityChange(IdentityKind.SYSTEM_FINGERPRINT, _most(old) or "", _most(new) or "", is_mid_run)


def _says_it_is(before: str | None, after: str | None) -> IdentityChange | None:
    was, became = _name(before), _name(after)
    if before is None or after is None or was is None or became is None:
        return None
    if not read_claim(before).contradicts(read_claim(after)):
        return None
    return IdentityChange(IdentityKind.SAYS_IT_IS, was, became)


def _sentence(change: IdentityChange) -> str:
    when = " in the middle of the run" if change.is_mid_run else ""
    told = f"{change.before} -> {change.after}"
    match change.kind:
        case IdentityKind.SERVED_MODEL:
            return f"The provider changed the model it serves{when}: {told}."
        case IdentityKind.SYSTEM_FINGERPRINT:
            return f"The provider's system fingerprint changed{when}: {told}."
        case IdentityKind.SAYS_IT_IS:
            return f"Asked who it is, the model names another one: {told}."


def _name(says_it_is: str | None) -> str | None:
    return None if says_it_is is None else read_claim(says_it_is).name


def _most(reported: Sequence[Reported]) -> str | None:
    """The most frequent value, of equals the one reported last; None where nothing is reported."""
    return max(reported, key=lambda one: (one.answers, one.last_at, one.value)).value if reported else None


def _answers(reported: Sequence[Reported]) -> int:
    return sum(one.answers for one in reported)


def _share(reported: Sequence[Reported], value: str) -> float:
    return sum(one.answers for one in reported if one.value == value) / _answers(reported)


def _values(reported: Sequence[Reported]) -> frozenset[str]:
    return frozenset(one.value for one in reported)
