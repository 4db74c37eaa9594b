"""What others have published about MT50, each row with the conditions that it was played under."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """One row of somebody's table. None of them was run by us.

    Attributes:
        model: What they call it.
        tiers: Success rates of easy, medium, hard and very hard [%].
        average: Their tier average [%].
        protocol: Whose conditions; see ``protocols.py``, or what is known of them.
        episodes: Per task, as far as known.
        source: Where the numbers stand.
        second_hand: Whether that is not the authors' own paper or documentation.
    """

    model: str
    tiers: tuple[float, float, float, float]
    average: float
    protocol: str
    episodes: str
    source: str
    second_hand: bool = False


PUBLISHED = (
    Published(
        model="Diffusion Policy, multi-task",
        tiers=(23.1, 10.7, 1.9, 6.1),
        average=10.5,
        protocol="not stated",
        episodes="5 x 3 seeds",
        source="TinyVLA, Table I",
    ),
    Published(
        model="TinyVLA-H",
        tiers=(77.6, 21.5, 11.4, 15.8),
        average=31.6,
        protocol="not stated",
        episodes="5 x 3 seeds",
        source="TinyVLA, Table I",
    ),
    Published(
        model="pi0 3.5 B",
        tiers=(71.8, 48.2, 41.7, 30.0),
        average=47.9,
        protocol="lerobot",
        episodes="10",
        source="SmolVLA, Table 2",
    ),
    Published(
        model="SmolVLA 0.45 B",
        tiers=(82.5, 41.8, 45.0, 60.0),
        average=57.3,
        protocol="lerobot",
        episodes="10",
        source="SmolVLA, Table 2",
    ),
    Published(
        model="SmolVLA 2.25 B",
        tiers=(87.1, 51.8, 70.0, 64.0),
        average=68.2,
        protocol="lerobot",
        episodes="10",
        source="SmolVLA, Table 2",
    ),
    Published(
        model="pi0 + PPO",
        tiers=(92.1, 74.6, 61.7, 84.0),
        average=78.1,
        protocol="rlinf",
        episodes="not stated",
        source="RLinf's documentation",
    ),
    Published(
        model="Evo-1 0.77 B",
        tiers=(89.2, 76.8, 77.2, 79.2),
        average=80.6,
        protocol="evo1, privileged state",
        episodes="10",
        source="notes on its paper; others re-ran it at 74 to 77",
        second_hand=True,
    ),
    Published(
        model="FabriVLA 0.89 B",
        tiers=(95.0, 88.2, 86.7, 90.0),
        average=90.0,
        protocol="evo1, privileged state",
        episodes="10",
        source="a leaderboard",
        second_hand=True,
    ),
)
