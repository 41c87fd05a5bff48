"""What a process tells Prometheus, read as Prometheus reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Scrape:
    """All samples, by their names and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    @classmethod
    def of(cls, text: str) -> "Scrape":
        return cls(
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    def value(self, name: str, **labels: str) -> float | None:
        """None where there is no such sample."""
        return self.samples.get((name, frozenset(labels.items())))

    def having(self, name: str, **labels: str) -> list[tuple[dict[str, str], float]]:
        """The samples with these labels and any others."""
        return [
            (dict(found), value)
            for (sample, found), value in self.samples.items()
            if sample == name and found >= labels.items()
        ]

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}


async def scrape(client: httpx.AsyncClient) -> Scrape:
    response = await client.get("/metrics")
    assert response.status_code == 200
    return Scrape.of(response.text)
