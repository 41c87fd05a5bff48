from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retrying import LONGEST_RETRY_AFTER_SECONDS, RETRY_SECONDS, wait_seconds

attempts = st.integers(1, 50)
seeds = st.text(max_size=20)


@given(attempts, seeds)
def test_the_schedule_holds_within_a_fifth(attempt: int, seed: str) -> None:
    step = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS)) - 1]
    assert step <= wait_seconds(attempt, None, seed) <= step * 1.2


@given(attempts, st.floats(0, 10_000), seeds)
def test_retry_after_is_a_lower_bound_believed_up_to_ten_minutes(
    attempt: int, asked: float, seed: str
) -> None:
    waited = wait_seconds(attempt, asked, seed)
    assert waited >= min(asked, LONGEST_RETRY_AFTER_SECONDS)
    assert waited <= 1.2 * max(LONGEST_RETRY_AFTER_SECONDS, RETRY_SECONDS[-1])


def test_pairs_that_failed_together_come_back_apart() -> None:
    assert len({wait_seconds(1, None, seed=str(number)) for number in range(100)}) > 90
