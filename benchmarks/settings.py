"""What the user of a benchmark can choose."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.refusal import Refusal
from benchmarks.rounds import FEWEST
from tinyvla_gym.envs.registration import METAWORLD_TASKS
from tinyvla_gym.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One run of a benchmark.

    Attributes:
        rounds: Interleaved rounds, at least 5.
        tasks: ``all``, a number of tasks spread evenly over all, or names with commas; the
            benchmark's own choice when empty.
        size: Of TinyVLA, where it is measured: ``s``, ``b`` or ``h``.
        released: A clone of TinyVLA's released code, where that is the peer.
    """

    rounds: int = FEWEST
    tasks: str = ""
    size: str = "s"
    released: Path | None = None

    def __post_init__(self) -> None:
        if self.rounds < FEWEST:
            raise Refusal(f"A spread needs at least {FEWEST} rounds, got {self.rounds}.")

    def released_code(self) -> Path:
        """The clone.

        Raises:
            Refusal: If none was named, or it is none.
        """
        if self.released is None or not (self.released / "eval_real_franka.py").is_file():
            raise Refusal(
                f"TinyVLA's released code is not in {self.released}; name a clone of "
                "https://github.com/liyaxuanliyaxuan/TinyVLA: --released FOLDER."
            )
        return self.released.resolve()

    def chosen_tasks(
        self, default: str, among: tuple[str, ...] = METAWORLD_TASKS
    ) -> tuple[str, ...]:
        """Resolves ``tasks``.

        Args:
            default: What to take when the user chose nothing.
            among: MetaWorld's names to choose from.

        Raises:
            UnknownNameError: If a task does not exist.
        """
        wanted = self.tasks or default
        if wanted == "all":
            return among
        if wanted.isdecimal() and int(wanted) > 0:
            count = min(int(wanted), len(among))
            return tuple(among[index * len(among) // count] for index in range(count))
        names = tuple(name.strip() for name in wanted.split(","))
        for name in names:
            if name not in among:
                raise UnknownNameError("task here", name, among)
        return names
