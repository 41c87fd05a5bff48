"""Who may see the pages: keys become sessions, and forms and files are ours alone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.api.dashboard.session import COOKIE, Expired, Session, Signer
from services.standalone import postgres
from shared.db.keys import Scope, create_key, revoke_key
from shared.db.migrate import migrate
from tests.integration.browsing import CALM, FALLEN, Browser, browse, live_through


@pytest.fixture
async def browser(database_url: str, redis_url: str, tmp_path: Path) -> AsyncIterator[Browser]:
    """In front of an API that wants keys."""
    async with browse(database_url, redis_url, tmp_path, auth="on") as browser:
        yield browser


async def sign_in(browser: Browser, scope: Scope = Scope.SUBMIT, next_page: str = "/") -> None:
    page = await browser.open(f"/sign-in?next={next_page}")
    async with browser.api.desk.connection() as connection:
        _, secret = await create_key(connection, "Ada", scope)
    response = await browser.send(page.form("/sign-in"), key=secret)
    assert response.status_code == 303
    assert response.headers["location"] == next_page


async def test_without_a_session_every_page_leads_to_sign_in_and_back(browser: Browser) -> None:
    for path in ("/", "/incidents?status=all", "/models/view?model=a"):
        response = await browser.api.client.get(path)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in?next=")

    await sign_in(browser, next_page="/incidents")

    page = await browser.open("/incidents")
    assert page.status == 200
    assert "Signed in with the key Ada" in page.text


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser) -> None:
    response = await browser.api.client.get("/sign-in")

    cookie = response.headers["set-cookie"]
    assert cookie.startswith(COOKIE)
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_a_wrong_key_is_told_at_its_field(browser: Browser) -> None:
    form = (await browser.open("/sign-in")).form("/sign-in")

    response = await browser.send(form, key="dw_wrong")

    assert response.status_code == 401
    assert "unknown, revoked or expired" in response.text


async def test_a_session_ends_with_its_key(browser: Browser) -> None:
    await sign_in(browser)
    async with browser.api.desk.connection() as connection:
        key_id = await connection.fetchval("SELECT id FROM api_keys WHERE name = 'Ada'")
        await revoke_key(connection, key_id)

    response = await browser.api.client.get("/incidents")
    page = await browser.open(response.headers["location"])

    assert "Your session is over." in page.text
    assert "you will come back to incidents" in page.text


async def test_signing_out_ends_the_session(browser: Browser) -> None:
    await sign_in(browser)
    await browser.send((await browser.open("/")).form("/sign-out"))

    assert (await browser.api.client.get("/")).status_code == 303


async def test_a_key_that_may_only_read_can_not_act(browser: Browser) -> None:
    past = await live_through(browser.api, 12)
    incident = next(one for one in await past.incidents() if one.model == FALLEN)
    await sign_in(browser, Scope.READ)

    page = await browser.open(f"/incidents/{incident.id}")
    response = await browser.send(page.form("/acknowledge"))

    assert response.status_code == 403
    assert "needs a key of scope submit" in response.text


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_sign_in_leads_nowhere_else(browser: Browser, elsewhere: str) -> None:
    page = await browser.open("/sign-in", params={"next": elsewhere})

    assert page.form("/sign-in").fields["next"] == "/"


async def test_a_cookie_that_was_tampered_with_is_nobody(browser: Browser) -> None:
    await sign_in(browser)
    value = browser.api.client.cookies[COOKIE]
    browser.api.client.cookies.clear()
    browser.api.client.cookies.set(COOKIE, ("A" if value[0] != "A" else "B") + value[1:])

    assert (await browser.api.client.get("/")).status_code == 303


def test_sessions_last_twelve_hours_and_belong_to_their_signer() -> None:
    signer, stranger = Signer("a secret"), Signer(None)
    cookie = signer.write(signer.begin(1000.0))

    assert isinstance(signer.read(cookie, 1000.0 + 12 * 3600 - 1), Session)
    assert isinstance(signer.read(cookie, 1000.0 + 12 * 3600), Expired)
    assert stranger.read(cookie, 1000.0) is None
    assert isinstance(Signer("a secret").read(cookie, 1000.0), Session)


async def test_pages_may_load_nothing_from_elsewhere(browser: Browser) -> None:
    response = await browser.api.client.get("/sign-in")
    page = await browser.open("/sign-in")

    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert not [link for link in page.links if link.startswith("http")]


async def test_files_may_be_kept_as_long_as_their_address_lasts(browser: Browser) -> None:
    html = (await browser.api.client.get("/sign-in")).text
    address = html.split('href="/static/style.css')[1].split('"')[0]

    style = await browser.api.client.get(f"/static/style.css{address}")

    assert style.status_code == 200
    assert "immutable" in style.headers["cache-control"]


async def test_a_theme_is_remembered(browser: Browser) -> None:
    response = await browser.api.client.get("/theme/dark?next=/sign-in")

    assert response.headers["location"] == "/sign-in"
    assert 'data-theme="dark"' in (await browser.api.client.get("/sign-in")).text


async def test_without_keys_other_sites_can_not_look_in(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with browse(database_url, redis_url, tmp_path) as browser:
        page = await browser.open("/", headers={"Host": "evil.example"})

    assert page.status == 403
    assert "this machine only" in page.text


async def test_while_the_database_is_away_the_last_numbers_stay_and_say_so(
    redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "server").mkdir()
    async with AsyncExitStack() as server:
        url = await server.enter_async_context(postgres.launch(tmp_path / "server"))
        await migrate(url)
        async with browse(url, redis_url, tmp_path) as browser:
            await live_through(browser.api, 2, CALM)
            before = await browser.open("/")
            await server.aclose()

            after = await browser.open("/")
            never_shown = await browser.open("/incidents")

    assert after.status == 503
    assert after.title == before.title
    assert "These are the numbers of" in after.text
    assert never_shown.status == 503
    assert never_shown.title == "The database doesn't answer"
