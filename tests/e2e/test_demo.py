"""The demo's second act: what happens to the models behind Driftwarden's back is found, and named rightly."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.standalone.demo import GOLDEN, open_simulation
from services.standalone.story import CATEGORY, DECAY, DROP, JUDGE, OUTAGE_AND_SWAP, Cues, play
from shared.settings import Settings

SHORT = Cues(
    anchors=4, outage=4, judge=7, judge_accepted=9, drop=10, category=11, swap=13, decay=5,
    decay_per_night=0.025, last=17,
)  # fmt: skip


@pytest.mark.slow
async def test_every_cause_is_found_and_named(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", port=0, auth="off", log_level="error", _env_file=None)
    async with open_simulation(tmp_path, settings, asyncio.Event()) as (stage, simulator):
        await stage.type("suite", "import", str(GOLDEN))
        await play(stage, simulator, SHORT)
        found = (await stage.read("/incidents", limit=100))["items"]
        told = [await stage.read(f"/incidents/{each['id']}") for each in found]
    # On a busy machine calls may really become slow.
    story = [each for each in told if each["findings"]["cause"] != "service"]

    def the_one(model: str, **about: Any) -> dict[str, Any]:
        [incident] = [
            each for each in story
            if each["model"] == model and all(each[name] == value for name, value in about.items())
        ]  # fmt: skip
        return incident["findings"] | {"resolution": incident["resolution"]}

    outage = the_one(OUTAGE_AND_SWAP, status="closed")
    assert (outage["cause"], outage["since"], outage["resolution"]) == ("outage", night(4), "outage_over")
    judge = the_one(JUDGE)
    assert (judge["cause"], judge["resolution"]) == ("judge", "resolved")
    drop = the_one(DROP)
    assert (drop["cause"], drop["since"]) == ("model", night(10))
    category = the_one(CATEGORY)
    assert (category["cause"], category["since"]) == ("model", night(11))
    assert [each["category"] for each in category["categories"] if each["is_worse"]] == ["math"]
    swap = the_one(OUTAGE_AND_SWAP, status="open")
    assert (swap["cause"], swap["since"]) == ("model", night(13))
    assert any("kestrel-2 -> kestrel-2-fast" in reason for reason in swap["because"])
    decay = the_one(DECAY)
    assert decay["cause"] == "model"
    assert "decay" in decay["streams"]
    assert len(story) == 6


def night(number: int) -> str:
    return f"2026-03-{15 + number:02}"
