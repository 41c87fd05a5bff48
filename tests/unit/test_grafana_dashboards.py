"""Grafana's dashboards are what the code builds, and say how they are to be read."""

import re
from itertools import pairwise

import pytest
from starlette.routing import BaseRoute, Match

from deploy.grafana import colours
from deploy.grafana.__main__ import DASHBOARDS, FOLDER, render
from services.api.app import create_app
from shared.settings import Settings
from tests.e2e.grafana import Dashboard, read_dashboards

BOARDS = read_dashboards()
everywhere = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.title)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_committed_dashboard_is_what_the_code_builds(name: str) -> None:
    assert (FOLDER / name).read_text() == render(DASHBOARDS[name]), "run `make grafana`"


def test_no_other_dashboard_is_committed() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(DASHBOARDS)


@everywhere
def test_every_panel_says_what_it_shows_in_which_unit_and_how_to_read_it(board: Dashboard) -> None:
    silent = [
        panel["title"]
        for panel in board.panels
        if not panel["title"]
        or not panel["fieldConfig"]["defaults"]["unit"]
        or len(panel["description"]) < 40
    ]
    assert silent == []


@everywhere
def test_every_panel_has_a_place_of_its_own(board: Dashboard) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in board.content["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert x < 24, panel["title"]
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    numbers = [panel["id"] for panel in board.content["panels"]]
    assert len(set(numbers)) == len(numbers)


@everywhere
def test_the_panels_of_a_line_end_where_it_ends(board: Dashboard) -> None:
    places = [panel["gridPos"] for panel in board.content["panels"]]
    ends = [before["x"] + before["w"] for before, after in pairwise(places) if after["y"] > before["y"]]
    assert set(ends) == {24}


@everywhere
def test_every_dashboard_leads_to_the_others_and_to_the_product(board: Dashboard) -> None:
    links = board.content["links"]
    assert [link["tags"] for link in links if link["type"] == "dashboards"] == [["driftwarden"]]
    assert board.content["tags"] == ["driftwarden"]
    assert [link["url"] for link in links if link["type"] == "link"] == ["${driftwarden}/"]


def test_links_lead_to_dashboards_that_exist() -> None:
    linked = {uid for path in FOLDER.iterdir() for uid in re.findall(r"/d/([\w-]+)", path.read_text())}
    assert linked <= {board.content["uid"] for board in BOARDS}
    assert linked == {"driftwarden-model", "driftwarden-run"}


def test_links_lead_to_pages_that_exist() -> None:
    texts = [path.read_text() for path in FOLDER.iterdir()]
    paths = {path for text in texts for path in re.findall(r'"\$\{driftwarden\}(/[^"?]*)', text)}
    routes = create_app(Settings(_env_file=None)).routes  # type: ignore[call-arg]
    dead = {
        path
        for path in paths
        if not any(is_served(route, re.sub(r"\$\{.*?\}", "one", path)) for route in routes)
    }
    assert dead == set()
    assert len(paths) >= 5


def is_served(route: BaseRoute, path: str) -> bool:
    match, _ = route.matches({"type": "http", "method": "GET", "path": path, "headers": []})
    return match is Match.FULL


def test_the_address_of_the_product_can_be_another() -> None:
    found = render(DASHBOARDS["model.json"], "https://drift.example.org")
    assert '"query": "https://drift.example.org"' in found


@pytest.mark.parametrize("paper", ["#ffffff", "#181b1f"], ids=["light", "dark"])
def test_colours_are_seen_in_both_themes(paper: str) -> None:
    told = {name: value for name, value in vars(colours).items() if name.isupper() and isinstance(value, str)}
    faint = {
        name: round(contrast(value, paper), 1) for name, value in told.items() if contrast(value, paper) < 3
    }
    assert faint == {}


def contrast(one: str, other: str) -> float:
    """As WCAG 2 defines it."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = (int(part, 16) / 255 for part in re.findall("[0-9a-f]{2}", colour))
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
