"""The demo's second act: a month of nights in fast-forward, in which models, a judge and a provider change.

Driftwarden is told nothing of it: the simulated provider is changed behind its back, and all that is found
is found by the watch, from the answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx

from services.standalone.stage import Stage, accepted

SCHEDULE, SUITE, SAMPLE = "nightly", "golden", 49
JUDGE = "arbiter-1"
OUTAGE_AND_SWAP, DROP, CATEGORY, DECAY = "kestrel-2", "meridian-pro", "halcyon-xl", "halcyon-mini"
LAST_NIGHT = date(2026, 4, 1)  # with a month's first night every model is compared with its baseline


@dataclass(frozen=True, slots=True)
class Cues:
    """With which night each thing happens, counted from 1; the anchors are chosen before theirs."""

    anchors: int = 4
    outage: int = 5
    judge: int = 8
    judge_accepted: int = 11
    drop: int = 12
    category: int = 15
    swap: int = 20
    decay: int = 8
    decay_per_night: float = 0.006
    last: int = 30


@dataclass(frozen=True, slots=True)
class Scene:
    """A change of a simulated model from one night on; one that only ends another has nothing to tell."""

    night: int
    model: str
    change: Mapping[str, Any]
    told: str = ""


def write_scenes(cues: Cues) -> Sequence[Scene]:
    scenes = (
        Scene(cues.outage, OUTAGE_AND_SWAP, {"faults": {"server_error": 1}}, "does not answer for one night"),
        Scene(cues.outage + 1, OUTAGE_AND_SWAP, {"faults": {"server_error": 0}}),
        Scene(
            cues.judge, JUDGE, {"shift": -0.15, "shift_on": "borderline"},
            "(the judge) becomes a little stricter with borderline answers",
        ),
        Scene(
            cues.decay, DECAY, {"decay": cues.decay_per_night},
            f"begins to get worse, by {cues.decay_per_night * 100:g} points a night",
        ),
        Scene(cues.drop, DROP, {"drop": {"points": 0.3}}, "gets much worse overnight"),
        Scene(
            cues.category, CATEGORY, {"drop": {"points": 0.6, "category": "math"}},
            "unlearns most of its mathematics, and nothing else",
        ),
        Scene(
            cues.swap, OUTAGE_AND_SWAP,
            {"like": "kestrel-2-fast", "served_model": "kestrel-2-fast", "latency": {"mean_seconds": 0.25}},
            "is another, cheaper model from now on, under the old name",
        ),
    )  # fmt: skip
    return sorted(scenes, key=lambda scene: scene.night)


async def play(stage: Stage, simulator: httpx.AsyncClient, cues: Cues = Cues()) -> None:
    """Let all nights go by; ends with the incidents that were found, one of them told in full.

    The suite must be stored. `simulator` speaks with the simulated provider.

    Raises:
        CannotStart: a command failed, or a night did not come to its end.
    """
    scenes = write_scenes(cues)
    _introduce(scenes, cues.last)
    watched = [part for model in (CATEGORY, DROP, OUTAGE_AND_SWAP, DECAY) for part in ("--model", model)]
    # Confirmations would double the demo's length; here the next night is only seconds away.
    terms = ("--suite", SUITE, "--sample", str(SAMPLE), *watched, "--confirmations", "0")
    await stage.type("schedules", "set", SCHEDULE, *terms)
    nights = Nights(stage, simulator, scenes, LAST_NIGHT - timedelta(days=cues.last - 1))

    await nights.pass_until(cues.anchors)
    await stage.type("anchors", "create", "--suite", SUITE)
    await nights.pass_until(cues.judge_accepted)
    for incident in (await stage.read("/incidents", model=JUDGE, status="open"))["items"]:
        await stage.type("incidents", "resolve", incident["id"][:8], "--note", "We like it stricter.")
        await stage.type("anchors", "create", "--suite", SUITE)
    await nights.pass_until(cues.last + 1)

    await stage.type("incidents")
    found = (await stage.read("/incidents", model=OUTAGE_AND_SWAP, status="open"))["items"]
    for incident in found[:1]:
        await stage.type("incidents", "show", incident["id"][:8])


def _introduce(scenes: Sequence[Scene], nights: int) -> None:
    print(f"\n{nights} nights in fast-forward. What is going to happen, and what Driftwarden is not told:")
    for scene in scenes:
        if scene.told:
            print(f"  night {scene.night:2}  {scene.model:<12}  {scene.told}", flush=True)


@dataclass(slots=True)
class Nights:
    """The nights of the story, which go by one after the other; a line shows it, with a sign for each."""

    stage: Stage
    simulator: httpx.AsyncClient
    scenes: Sequence[Scene]
    first: date
    done: int = 0
    incidents: int = 0

    async def pass_until(self, night: int) -> None:
        """Live through all nights before this one."""
        print(f"\nnight by night, ! opens an incident: {self._date(self.done + 1)} ", end="", flush=True)
        while self.done + 1 < night:
            self.done += 1
            await self._pass(self.done)
        print(f" {self._date(self.done)}", flush=True)

    async def _pass(self, night: int) -> None:
        await self._tell_simulator("PUT", "night", {"night": night})
        for scene in self.scenes:
            if scene.night == night:
                await self._tell_simulator("PATCH", f"models/{scene.model}", scene.change)
        await self.stage.live_through(SCHEDULE, self._date(night))
        known = len((await self.stage.read("/incidents", schedule=SCHEDULE, limit=500))["items"])
        print("!" if known > self.incidents else ".", end="", flush=True)
        self.incidents = known

    def _date(self, night: int) -> str:
        return (self.first + timedelta(days=night - 1)).isoformat()

    async def _tell_simulator(self, method: str, what: str, body: Mapping[str, Any]) -> None:
        accepted(await self.simulator.request(method, f"/admin/{what}", json=dict(body)))
