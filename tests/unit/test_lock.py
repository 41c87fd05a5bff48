"""The lock files: exact, hashed, without addresses, and without the releases that must never come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
REFUSED = {"litellm": re.compile(r"1\.82\.[78]$|1\.107\.")}


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock.read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_requirement_is_pinned_exactly_and_hashed(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text().strip())
    assert blocks
    for block in blocks:
        assert re.match(r"[a-z0-9-]+==", block), f"not an exact pin: {block.splitlines()[0]}"
        assert "--hash=sha256:" in block, f"no hash: {block.splitlines()[0]}"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_no_download_address_is_named(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_withdrawn_and_malicious_releases_are_refused() -> None:
    locked = pins(ROOT / "requirements.lock")
    for name, refused in REFUSED.items():
        assert not refused.match(locked[name]), f"{name} {locked[name]} must never be installed"
    assert f'"litellm=={locked["litellm"]}"' in (ROOT / "pyproject.toml").read_text()


def test_arq_and_redis_are_the_pair_that_works() -> None:
    locked = pins(ROOT / "requirements.lock")
    assert locked["arq"].startswith("0.28.")
    assert locked["redis"].startswith("5.")
