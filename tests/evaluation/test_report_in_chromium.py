"""The report as a browser shows it: without network, at any width, in light and in dark."""

import pytest
from fake_evaluations import a_task, some_results
from in_chromium import CHROMIUM, LAPTOP_PX, PHONE_PX, seen

from tinyvla_gym.evaluation.report import write_report, write_sweep
from tinyvla_gym.evaluation.sweeps import Point, Sweep

pytestmark = [
    pytest.mark.slow,  # starts a browser
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: apt install chromium"),
]

FIRST_COLUMN = """
  const cells = () => [...view.document.querySelectorAll("table.sorts tbody tr")].map(
    (row) => row.cells[0].textContent.trim());
  const heading = view.document.querySelector("table.sorts th button");
  const before = cells(); heading.click(); const up = cells(); heading.click();
  return {before, up, down: cells()};
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    tasks = ("drawer-open", "push", "a-task-with-quite-a-long-name-that-must-not-widen-a-phone")
    results = some_results([a_task(task, [True, False, i > 0]) for i, task in enumerate(tasks)])
    write_report(results, path, title="nano on mt10")
    return path


def test_the_task_table_sorts_both_ways(page, tmp_path) -> None:
    shown = seen(page, tmp_path, script=FIRST_COLUMN)

    assert shown["problems"] == []
    assert len(shown["found"]["before"]) == 3
    assert shown["found"]["up"] == sorted(shown["found"]["before"])
    assert shown["found"]["down"] == sorted(shown["found"]["before"], reverse=True)


@pytest.fixture(scope="module")
def sweep_page(page):
    results = some_results([a_task("a-task-with-quite-a-long-name", [True, False])])
    points = tuple(Point(label=f"a value {place}", results=results) for place in range(7))
    path = page.with_name("sweep.html")
    write_sweep(Sweep(name="looks", points=points), path, title="nano on mt10")
    return path


@pytest.mark.parametrize("width", [PHONE_PX, LAPTOP_PX])
@pytest.mark.parametrize("which", ["page", "sweep_page"])
def test_nothing_is_asked_of_a_network_and_nothing_sticks_out(
    request, tmp_path, width, which
) -> None:
    shown = seen(request.getfixturevalue(which), tmp_path, width=width)

    assert shown["asked"] == []
    assert shown["problems"] == []
    assert shown["width"] <= width


def test_it_is_light_or_dark_as_the_reader_likes(page, tmp_path) -> None:
    backgrounds = [
        seen(page, tmp_path / scheme, dark=scheme == "dark")["background"]
        for scheme in ("light", "dark")
        if (tmp_path / scheme).mkdir() is None
    ]

    light, dark = (
        sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
        for colour in backgrounds
    )
    assert light > 600
    assert dark < 200


def test_a_page_that_asks_a_network_or_breaks_is_noticed(tmp_path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(
        "<body><div style='width:3000px'>wide</div><img src='http://127.0.0.1:9/x.png'></body>",
        encoding="utf-8",
    )

    shown = seen(broken, tmp_path, script="throw new Error('stumbled')")

    assert shown["asked"] == ["http://127.0.0.1:9/x.png"]
    assert shown["problems"] == ["Error: stumbled"]
    assert shown["width"] >= 3000
