"""tinyvla-gym: the entry point of every verb."""

import sys
from typing import Annotated, Any, Union

import tyro

from tinyvla_gym.cli.bench import Bench
from tinyvla_gym.cli.calibrate import Calibrate
from tinyvla_gym.cli.collect import Collect
from tinyvla_gym.cli.compare import Compare
from tinyvla_gym.cli.console import complain
from tinyvla_gym.cli.convert import Convert
from tinyvla_gym.cli.data.verb import Data
from tinyvla_gym.cli.distill import Distill
from tinyvla_gym.cli.doctor import Doctor
from tinyvla_gym.cli.drive import Drive
from tinyvla_gym.cli.emulate import Emulate
from tinyvla_gym.cli.envs import Envs
from tinyvla_gym.cli.evaluate import Evaluate
from tinyvla_gym.cli.report import Report
from tinyvla_gym.cli.rollout import Rollout
from tinyvla_gym.cli.score import Score
from tinyvla_gym.cli.train import Train
from tinyvla_gym.cli.view import View
from tinyvla_gym.data.atomic import check_writable
from tinyvla_gym.errors import TinyVLAError

VERBS = {
    "envs": Envs,
    "rollout": Rollout,
    "collect": Collect,
    "data": Data,
    "view": View,
    "train": Train,
    "distill": Distill,
    "evaluate": Evaluate,
    "compare": Compare,
    "report": Report,
    "score": Score,
    "convert": Convert,
    "bench": Bench,
    "emulate": Emulate,
    "drive": Drive,
    "calibrate": Calibrate,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> int:
    """Runs one verb.

    Args:
        arguments: The command line without the program's name; the process's own when None.

    Returns:
        0 only if the verb did what was asked; 1 after an error, which is explained on stderr.
    """
    kinds = [Annotated[kind, tyro.conf.subcommand(name)] for name, kind in VERBS.items()]
    verb: Any = tyro.cli(  # pyright: ignore[reportCallIssue]
        Union[tuple(kinds)],  # noqa: UP007  # pyright: ignore[reportArgumentType]
        prog="tinyvla-gym",
        description="TinyVLA policies and the arms they drive.",
        args=arguments,
    )
    try:
        if verb.json is not None:
            check_writable(verb.json)  # before the verb's work, not after
        return verb.run()
    except TinyVLAError as error:
        complain(error)
        return 1
    except KeyboardInterrupt:
        resumable = hasattr(verb, "resume")
        complain("interrupted; add --resume to go on." if resumable else "interrupted.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
