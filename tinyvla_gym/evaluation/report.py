"""A page with the numbers and the films of an evaluation."""

from html import escape
from pathlib import Path

from tinyvla_gym.data.atomic import written_whole
from tinyvla_gym.evaluation.results import Results, TaskResult

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
       color: #1b1d21; background: #fafaf8 }
h1 { font-size: 1.5rem; margin-bottom: 0 }
p.facts { color: #666; margin-top: .3rem }
table { border-collapse: collapse; width: 100%; margin: 1.5rem 0 }
th, td { text-align: left; padding: .35rem .8rem; border-bottom: 1px solid #e2e0da }
th { font-weight: 600 } td.number, th.number { text-align: right }
.bar { position: relative; height: .6rem; width: 12rem; background: #e9e7e1; border-radius: .3rem }
.bar i { position: absolute; inset: 0 auto 0 0; background: #2ecc71; border-radius: .3rem }
.bar b { position: absolute; top: -.15rem; height: .9rem; border-left: 2px solid #1b1d21;
         border-right: 2px solid #1b1d21; border-top: 0; background: rgba(27,29,33,.12) }
.films { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem }
figure { margin: 0; background: #fff; border: 1px solid #e2e0da; border-radius: .5rem;
         overflow: hidden }
video { width: 100%; display: block } figcaption { padding: .5rem .8rem }
"""


def write_report(results: Results, path: Path, *, title: str, videos: Path | None = None) -> None:
    """Writes a page that needs nothing but the films beside it.

    Args:
        results: What to show.
        path: The page.
        title: Its heading.
        videos: Folder, below the page's, with one ``<task>.mp4`` per task.

    Raises:
        OutputError: If the place cannot be written to.
    """
    protocol = results.protocol
    facts = (
        f"policy {results.policy}, suite {protocol['suite']}, {results.episodes} episodes, seeds "
        f"from {protocol['seed']}, at most {results.horizon} control steps, "
        f"{protocol['instructions']} sentences, {results.seconds:.0f} s; bars with Wilson 95 % "
        "intervals; one training seed"
    )
    page = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1><p class='facts'>{escape(facts)}</p>",
        "<table><tr><th>task</th><th>sentence</th><th class='number'>successes</th><th></th>"
        "<th class='number'>95 % interval</th><th class='number'>steps</th>"
        "<th class='number'>ms per plan</th></tr>",
        *(_row(result) for result in results.tasks.values()),
        "</table><div class='films'>",
        *(_film(result, path, videos) for result in results.tasks.values()),
        "</div></body></html>",
    ]
    with written_whole(path) as partial:
        partial.write_text("\n".join(page), encoding="utf-8")


def _row(result: TaskResult) -> str:
    low, high = (100 * bound for bound in result.wilson95)
    plan = "" if result.plan_ms is None else f"{result.plan_ms:.0f}"
    return (
        f"<tr><td>{escape(result.task)}</td><td>{escape(result.sentence)}</td>"
        f"<td class='number'>{result.successes} of {result.episodes}</td>"
        f"<td><div class='bar'><i style='width:{100 * result.rate:.1f}%'></i>"
        f"<b style='left:{low:.1f}%;width:{high - low:.1f}%'></b></div></td>"
        f"<td class='number'>{low:.0f} to {high:.0f} %</td>"
        f"<td class='number'>{result.mean_steps:.0f}</td><td class='number'>{plan}</td></tr>"
    )


def _film(result: TaskResult, page: Path, videos: Path | None) -> str:
    film = videos / f"{result.task}.mp4" if videos else None
    if film is None or not film.exists():
        return ""
    source = escape(film.relative_to(page.parent).as_posix())
    first = result.outcomes[0]
    ended = f"solved at step {first.success_step}" if first.success else "not solved"
    return (
        f"<figure><video src='{source}' autoplay loop muted playsinline controls></video>"
        f"<figcaption><strong>{escape(result.task)}</strong>, seed {first.seed}: {ended}"
        "</figcaption></figure>"
    )
