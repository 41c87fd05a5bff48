"""Which night it is, and how a model behaves on it: as configured, folded with what changed until then."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from services.simulator.behaviour import AssistantBehaviour, Behaviour, changed
from services.simulator.config import Assistant, SimulatorConfig, changes_in_order

Clock = Callable[[], float]


class Calendar:
    """The night: set by hand, else counted in days (UTC) from the epoch, which is night 1."""

    def __init__(self, epoch: date | None, night: int, clock: Clock = time.time) -> None:
        self._epoch = epoch
        self._by_hand: int | None = None if epoch else night
        self._first = night
        self._clock = clock

    def set(self, night: int | None) -> None:
        """Hold the calendar at a night; None follows the epoch again (without one: back to the first)."""
        self._by_hand = self._first if night is None and self._epoch is None else night

    def night(self) -> int:
        if self._by_hand is not None:
            return self._by_hand
        assert self._epoch is not None
        today = datetime.fromtimestamp(self._clock(), UTC).date()
        return max(0, (today - self._epoch).days + 1)


@dataclass(frozen=True, slots=True)
class Tonight:
    """A model on one night. `identity` names whose draws it makes: its own, or the model's it became."""

    behaviour: Behaviour
    identity: str
    nights_of_decay: int


def tonight(config: SimulatorConfig, name: str, night: int) -> Tonight:
    """Fold a model's changes up to `night`, in the order of their nights."""
    model = config.models[name]
    state = Tonight(model, name, max(0, night - 1))
    if isinstance(model, Assistant) and model.like is not None:
        state = _become(config, model.like, state, night)
    for change in changes_in_order(model):
        if change.night > night:
            break
        other = change.like if isinstance(change, AssistantBehaviour) else None
        if other is not None:
            state = _become(config, other, state, night)
        state = replace(state, behaviour=changed(state.behaviour, change))
        if "decay" in change.model_fields_set:
            state = replace(state, nights_of_decay=night - change.night)
    return state


def _become(config: SimulatorConfig, other: str, self: Tonight, night: int) -> Tonight:
    """Silently: everything is the other model's but what the replies say about who wrote them."""
    its = tonight(config, other, night)
    kept: dict[str, Any] = {
        "served_model": self.behaviour.served_model,
        "system_fingerprint": self.behaviour.system_fingerprint,
    }
    return replace(its, behaviour=its.behaviour.model_copy(update=kept))
