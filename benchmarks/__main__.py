"""python -m benchmarks NAME: measure one thing and say what came out; ``plot`` draws them all."""

import argparse
import sys
from pathlib import Path

from benchmarks import machine
from benchmarks.catalogue import BENCHMARKS, benchmark_named
from benchmarks.findings import save
from benchmarks.lines import SubjectError
from benchmarks.plot import PICTURE, RESULTS, draw
from benchmarks.rounds import FEWEST
from benchmarks.settings import Settings
from tinyvla_gym.data.atomic import check_writable
from tinyvla_gym.errors import TinyVLAError


def main(arguments: list[str] | None = None) -> int:
    """Runs one benchmark.

    Args:
        arguments: The command line without the program's name; the process's own when None.

    Returns:
        0 if it was measured, whether or not the bar was reached; 1 if there is no number, which
        is explained on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.name == "plot":
            draw(RESULTS, PICTURE)
            print(f"drawn from {RESULTS} into {PICTURE}")
        else:
            _measure(options)
    except (TinyVLAError, SubjectError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("error: interrupted.", file=sys.stderr)
        return 130
    return 0


def _measure(options: argparse.Namespace) -> None:
    benchmark = benchmark_named(options.name)
    settings = Settings(
        rounds=options.rounds, tasks=options.tasks, size=options.size, released=options.released
    )
    machine.check_idle(busy=options.busy)
    if options.json is not None:
        check_writable(options.json)
    circumstances = {"machine": machine.facts(), "busy": options.busy}
    findings = benchmark.run(settings)
    for finding in findings:
        print(*finding.lines(), sep="\n")
    if options.busy:
        print("Taken on a machine that may have been busy: not for publication.")
    if options.json is not None:
        save(options.json, findings, circumstances)


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, BENCHMARKS))
    known = [f"  {name:<{width}}  {one.what}" for name, one in BENCHMARKS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Ours against a peer, A/B/A/B in one run, one core each, beside the check that "
        "makes the two comparable.",
        epilog="\n".join([*known, f"  {'plot':<{width}}  {RESULTS} as a picture"]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="what to measure, see below")
    parser.add_argument(
        "--rounds", type=int, default=FEWEST, help=f"interleaved rounds (default {FEWEST})"
    )
    parser.add_argument(
        "--tasks",
        default="",
        help="all, a number of tasks spread over all, or names with commas (default: as many as "
        "take about three minutes)",
    )
    parser.add_argument("--size", default="s", help="of TinyVLA: s, b or h (default s)")
    parser.add_argument(
        "--released", type=Path, metavar="FOLDER", help="a clone of TinyVLA's released code"
    )
    parser.add_argument(
        "--json", type=Path, help="also put the findings into this file, beside those it holds"
    )
    parser.add_argument(
        "--busy",
        action="store_true",
        help=f"measure although the load is above {machine.IDLE_LOAD}, and mark the findings",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
