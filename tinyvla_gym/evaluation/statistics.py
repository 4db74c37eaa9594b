"""How sure a success rate is."""

from math import sqrt

from tinyvla_gym.errors import ConfigError

Z95 = 1.959963984540054
"""Two-sided 95 % point of the standard normal distribution."""


def wilson_interval(successes: int, episodes: int) -> tuple[float, float]:
    """The Wilson 95 % score interval of a success rate (Wilson, JASA 22, 1927).

    Args:
        successes: Episodes that succeeded.
        episodes: Episodes played, at least 1.

    Returns:
        Lower and upper bound, between 0 and 1.

    Raises:
        ConfigError: If the counts are impossible.
    """
    if not 0 <= successes <= episodes or episodes < 1:
        raise ConfigError(f"{successes} successes of {episodes} episodes is no success rate.")
    rate = successes / episodes
    centre = rate + Z95**2 / (2 * episodes)
    spread = Z95 * sqrt(rate * (1 - rate) / episodes + Z95**2 / (4 * episodes**2))
    scale = 1 + Z95**2 / episodes
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return (0.0 if successes == 0 else low), (1.0 if successes == episodes else high)
