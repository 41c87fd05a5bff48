"""The no-drift band holds the nights that it says it holds."""

import numpy as np

from shared.domain.figures.bands import no_drift_band


def test_fewer_than_five_nights_have_no_band() -> None:
    assert no_drift_band([0.9, 0.8, 0.9, 0.8]) is None


def test_the_next_quiet_night_lies_inside_in_95_of_100_cases() -> None:
    chance = np.random.default_rng(7)
    inside = 0
    for _ in range(2000):
        nights = chance.binomial(200, 0.85, size=15) / 200
        band = no_drift_band(nights[:-1].tolist())
        assert band is not None
        inside += band.lower <= nights[-1] <= band.upper
    assert 0.93 <= inside / 2000 <= 0.975


def test_a_band_stays_within_what_a_share_can_be() -> None:
    band = no_drift_band([1.0, 0.9, 1.0, 0.9, 1.0, 0.9])

    assert band is not None
    assert band.upper == 1.0


def test_nights_that_never_varied_have_a_band_without_width() -> None:
    band = no_drift_band([0.5] * 6)

    assert band is not None
    assert (band.lower, band.mean, band.upper) == (0.5, 0.5, 0.5)
