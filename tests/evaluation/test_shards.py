"""Tests for evaluation/shards.py, and for evaluations that are broken off and resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_evaluations import HereCrew, an_outcome
from worker_processes import workers_of

from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.evaluation import evaluate as module
from tinyvla_gym.evaluation.evaluate import Protocol, evaluate
from tinyvla_gym.evaluation.folder import finish
from tinyvla_gym.evaluation.playing import Played, ShardPlayer
from tinyvla_gym.evaluation.shards import ShardFolder

PLAYED = Played(
    task="push",
    first=25,
    horizon=500,
    outcomes=(an_outcome(seed=7), an_outcome(seed=8, solved=False)),
    jerks_m_s3=(1.25, None),
    plans_ms=(3.5, 4.5),
    seconds=2.0,
)
PROTOCOL = Protocol(suite="reach", episodes=60, horizon=5, parallel=1)


class Interrupted(Exception):
    """What a test breaks an evaluation off with."""


@pytest.fixture
def folder(tmp_path) -> ShardFolder:
    return ShardFolder(tmp_path / "shards")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Many shards of few episodes."""
    monkeypatch.setattr(module, "SHARD_EPISODES", 1)


def test_a_shard_is_read_back_as_it_was(folder) -> None:
    folder.open({"policy": "nano"}, resume=False)
    folder.save(PLAYED)

    assert folder.load("push", 25) == PLAYED
    assert folder.load("push", 0) is None
    assert folder.load("push-back", 25) is None


def test_what_was_broken_off_is_not_begun_anew_by_mistake(folder) -> None:
    folder.open({"policy": "nano"}, resume=False)

    with pytest.raises(OutputError, match="broken off; add --resume"):
        folder.open({"policy": "nano"}, resume=False)

    folder.open({"policy": "nano"}, resume=True)


def test_other_conditions_are_named_and_refused(folder) -> None:
    folder.open({"policy": "nano", "protocol": {"horizon": 500, "seed": 1}}, resume=False)

    with pytest.raises(ConfigError, match="protocol horizon: 500 then, 400 now"):
        folder.open({"policy": "nano", "protocol": {"horizon": 400, "seed": 1}}, resume=True)


def test_a_finished_folder_is_forgotten(folder) -> None:
    folder.open({"policy": "nano"}, resume=False)
    folder.save(PLAYED)

    folder.clear()

    assert not folder.path.exists()
    folder.clear()  # and there is nothing wrong with that


def facts_of(results) -> dict:
    """Everything but what a clock said."""
    facts = results.to_dict()
    del facts["timing"]
    return facts


def test_breaking_off_and_going_on_changes_nothing(tmp_path) -> None:
    crew = HereCrew(ShardPlayer, 1)
    whole = evaluate("random", PROTOCOL, crew=crew)
    rng, breaks = random.Random(0), 0
    heard = []

    def stumble(task, outcome):
        heard.append(outcome.seed)
        if rng.random() < 0.1 and breaks < 5:
            raise Interrupted

    for attempt in range(100):
        try:
            results = evaluate(
                "random",
                PROTOCOL,
                crew=crew,
                shards=tmp_path,
                resume=attempt > 0,
                on_episode=stumble,
            )
            break
        except Interrupted:
            breaks, heard = breaks + 1, []

    assert breaks == 5
    assert facts_of(results) == facts_of(whole)
    assert sorted(heard) == list(range(1_000_000, 1_000_060))  # progress counts the old ones


def test_only_what_is_missing_is_played(tmp_path) -> None:
    crew = HereCrew(ShardPlayer, 1)
    evaluate("random", PROTOCOL, crew=crew, shards=tmp_path)
    (tmp_path / "toy-reach-000020.json").unlink()
    played = []
    crew.play = lambda jobs, on_episode: played.extend(jobs) or iter(())

    evaluate("random", PROTOCOL, crew=crew, shards=tmp_path, resume=True)

    assert [job.first for job in played] == [20]


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"task": "toy-reach"}', "\0" * 900])
def test_a_shard_that_was_damaged_is_played_again(tmp_path, spoilt) -> None:
    crew = HereCrew(ShardPlayer, 1)
    protocol = Protocol(suite="reach", episodes=3, horizon=5, parallel=1)
    whole = evaluate("random", protocol, crew=crew, shards=tmp_path)
    (tmp_path / "toy-reach-000001.json").write_text(spoilt)

    again = evaluate("random", protocol, crew=crew, shards=tmp_path, resume=True)

    assert facts_of(again) == facts_of(whole)


def test_damaged_facts_are_named(folder) -> None:
    folder.open({"policy": "nano"}, resume=False)
    (folder.path / "run.json").write_text("{")

    with pytest.raises(OutputError, match=r"run\.json is damaged"):
        folder.open({"policy": "nano"}, resume=True)


DRIVER = """
import sys
from pathlib import Path
from tinyvla_gym.evaluation import evaluate as module
from tinyvla_gym.evaluation.folder import finish
module.SHARD_EPISODES = 1

if __name__ == "__main__":
    out = Path(sys.argv[1])
    protocol = module.Protocol(suite="reach", episodes=400, parallel=4)
    finish(module.evaluate("random", protocol, workers=2, shards=out / "shards", resume=True), out)
"""


def begun(driver: Path, out: Path, shards: int, **settings) -> subprocess.Popen:
    """A driver that runs, once so many shards are there."""
    process = subprocess.Popen([sys.executable, driver, out], start_new_session=True, **settings)
    while len(list((out / "shards").glob("*.json"))) < shards and process.poll() is None:
        time.sleep(0.002)
    return process


def killed(driver: Path, out: Path, shards: int) -> None:
    """Runs the driver, and kills it and its workers once so many shards are there."""
    process = begun(driver, out, shards)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow  # eight starts of a driver with two workers
def test_killed_at_five_random_moments_and_resumed_it_is_the_same_file(tmp_path) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    rng = random.Random(4)
    moments = sorted(rng.sample(range(5, 70), 5))

    subprocess.run([sys.executable, driver, tmp_path / "whole"], check=True)
    for shards in moments:
        killed(driver, tmp_path / "broken", shards)
        assert not (tmp_path / "broken" / "results.json").exists()
    kept = len(list((tmp_path / "broken" / "shards").glob("*.json")))
    process = begun(driver, tmp_path / "broken", kept + 4, stderr=subprocess.PIPE, text=True)
    os.kill(workers_of(process)[0], signal.SIGKILL)  # once more, and only a worker
    assert "the worker was killed by signal 9" in process.communicate()[1]
    subprocess.run([sys.executable, driver, tmp_path / "broken"], check=True)

    whole, broken = (
        json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "broken")
    )
    assert whole.pop("timing") != broken.pop("timing")
    assert json.dumps(whole) == json.dumps(broken)
    tables = [(tmp_path / name / "episodes.parquet").read_bytes() for name in ("whole", "broken")]
    assert tables[0] == tables[1]
    assert not (tmp_path / "broken" / "shards").exists()


def test_finishing_writes_everything_and_tidies_up(tmp_path) -> None:
    import pyarrow.parquet as pq

    crew = HereCrew(ShardPlayer, 1)
    results = evaluate("random", PROTOCOL, crew=crew, shards=tmp_path / "shards")

    finish(results, tmp_path)

    names = ["episodes.parquet", "report.html", "results.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    table = pq.read_table(tmp_path / "episodes.parquet")
    assert table.num_rows == 60
    assert table.column("task").unique().to_pylist() == ["toy-reach"]
    assert table.column("seed").to_pylist() == list(range(1_000_000, 1_000_060))
    assert table.schema.metadata[b"protocol_hash"].decode() == PROTOCOL.hash
