"""Write the dashboards: `python -m deploy.grafana [--public-url https://driftwarden.example.org]`."""

import argparse
from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import fleet, model, pipeline, run, spending
from deploy.grafana.frame import PUBLIC_URL

FOLDER = Path(__file__).with_name("dashboards")
DASHBOARDS: dict[str, Callable[[str], Dashboard]] = {
    "fleet-overview.json": fleet.build,
    "model.json": model.build,
    "cost-and-latency.json": spending.build,
    "pipeline-health.json": pipeline.build,
    "run-detail.json": run.build,
}


def render(build: Callable[[str], Dashboard], public_url: str = PUBLIC_URL) -> str:
    """A dashboard as JSON that stays the same as long as the code does."""
    dashboard = build(public_url).build()
    for number, panel in enumerate(dashboard.panels or (), 1):
        panel.id_val = number
    encoder = JSONEncoder(ensure_ascii=False, indent=2, sort_keys=True)
    return encoder.encode(dashboard) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.grafana", description="Write Grafana's dashboards."
    )
    parser.add_argument("--public-url", default=PUBLIC_URL, help="how readers reach Driftwarden's pages")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for name, build in DASHBOARDS.items():
        (FOLDER / name).write_text(render(build, asked.public_url.rstrip("/")), encoding="utf-8")


if __name__ == "__main__":
    main()
