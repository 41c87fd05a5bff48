"""Pages as a person meets them: their words, links and forms, and stacks with a past to look at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from shared.db.keys import Scope, create_key
from tests.integration.serving import Api, make_settings, open_api
from tests.integration.watching import Past, Story, begin_past

SOUND, FALLEN, GONE = "bright", "dim", "also-bright"
FALLS_ON = 10


def _chances(model: str, night: int) -> float | None:
    if model == GONE and night >= FALLS_ON:
        return None
    return 0.45 if model == FALLEN and night >= FALLS_ON else 0.93


FALL = Story(
    chances=_chances,
    served_model=lambda model, night: f"{model}-2" if model == FALLEN and night >= FALLS_ON else f"{model}-1",
)
CALM = Story(chances=lambda model, night: 0.93)


@dataclass(slots=True)
class Form:
    action: str
    method: str
    fields: dict[str, Any] = field(default_factory=dict)

    def fill(self, attributes: dict[str, str]) -> None:
        """What a browser would send of a control as it stands: of boxes, those that are ticked."""
        name, value = attributes["name"], attributes.get("value", "")
        if attributes.get("type") == "checkbox":
            if "checked" in attributes:
                self.fields.setdefault(name, []).append(value)
        elif attributes.get("type") != "file":
            self.fields[name] = value


class Page(HTMLParser):
    """What of a page's HTML a test asks about. Every space is a plain one."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.status = response.status_code
        self.title = ""
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.tags: list[str] = []
        self._words: list[str] = []
        self._within: list[str] = []
        self._select = self._area = ""
        self.choices: dict[str, list[str]] = {}
        self.errors: dict[str, str] = {}  # what is told below a field
        self._at_field = ""
        self.feed(response.text)
        self.text = " ".join(" ".join(self._words).split())
        self.title = " ".join(self.title.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self._within.append(tag)
        if tag == "p":
            is_error = "error" in found.get("class", "")
            self._at_field = found.get("id", "").removesuffix("-error") if is_error else ""
        match tag:
            case "a":
                self.links.append(found["href"])
            case "form":
                self.forms.append(Form(found["action"], found["method"]))
            case "input" | "textarea" if self.forms and found.get("name"):
                self.forms[-1].fill(found)
                self._area = found["name"] if tag == "textarea" else ""
            case "select":
                self._select = found.get("name", "")
                self.choices[self._select] = []
            case "option" if self.forms and "select" in self._within:
                chosen = self.choices[self._select]
                chosen.append(found.get("value", ""))
                if "selected" in found or len(chosen) == 1:
                    self.forms[-1].fields[self._select] = chosen[-1]

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if "script" in self._within:
            return
        if "textarea" in self._within:
            self.forms[-1].fields[self._area] += data
        if "p" in self._within and self._at_field and data.strip():
            self.errors[self._at_field] = self.errors.get(self._at_field, "") + data
        if "h1" in self._within:
            self.title += data
        self._words.append(data)

    def form(self, ending: str) -> Form:
        return next(form for form in self.forms if form.action.endswith(ending))


@dataclass(frozen=True, slots=True)
class Browser:
    api: Api

    async def open(self, path: str, **options: Any) -> Page:
        return Page(await self.api.client.get(path, **options))

    async def sign_in(self, scope: Scope) -> None:
        """Come in with a new key of this scope."""
        async with self.api.desk.connection() as connection:
            _, secret = await create_key(connection, "Ada", scope)
        form = (await self.open("/sign-in")).form("/sign-in")
        assert (await self.send(form, key=secret)).status_code == 303

    async def send(self, form: Form, **fields: Any) -> httpx.Response:
        """Send a form as a browser does, with some of its fields filled in otherwise."""
        return await self.api.client.post(form.action, data={**form.fields, **fields})


@asynccontextmanager
async def browse(database_url: str, redis_url: str, folder: Path, **changed: Any) -> AsyncIterator[Browser]:
    """A browser at an API without keys, unless `auth` says otherwise."""
    settings = make_settings(database_url, redis_url, folder, **{"auth": "off", **changed})
    async with open_api(settings) as api:
        del api.client.headers["Authorization"]
        yield Browser(api)


async def live_through(api: Api, nights: int, story: Story = FALL, **changed: Any) -> Past:
    """Let nights go by in the API's database."""
    models = changed.pop("models", (SOUND, FALLEN, GONE))
    past = await begin_past(
        api.desk.pool, api.desk.redis, models, **{"questions": 60, "categories": 3, **changed}
    )
    await past.live(nights, story)
    return past
