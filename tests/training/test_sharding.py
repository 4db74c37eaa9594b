"""Tests for training/sharding.py: two processes with pieces learn what one would.

They are forked as a launcher would start them, so that this process never holds pieces itself.
"""

import multiprocessing as mp
import os
import socket
from dataclasses import replace

import pytest
import torch
from fakes import INTERFACE
from pretrained_models import OPTIONS
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from training_runs import log, weights

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.policies.tinyvla.pretrained_nano.backbone import PretrainedNano
from tinyvla_gym.policies.tinyvla.vocabulary import Pieces
from tinyvla_gym.training.foresight import Learner
from tinyvla_gym.training.loop import adapt, train
from tinyvla_gym.training.presets import preset
from tinyvla_gym.training.sharding import gathered, piece, shard, whole
from tinyvla_gym.training.team import run_as_team

LLAVA = preset("toy-llava").model.backbone_options
KINDS = {  # tests/training/test_team.py trains everything
    "adapters": {"backbone": "llava_pythia", "backbone_options": LLAVA},
    "remembered sentences": {"backbone": "pretrained_nano", "backbone_options": OPTIONS},
}


def config(settings, kind, **changes):
    """Four steps, for pieces are slow where a step is short."""
    short = {"steps": 4, "log_every": 1, "save_every": 2}
    lora = {"lora_rank": 2, "lora_dropout": 0.0}
    model = replace(settings.model, **KINDS[kind])
    return replace(settings, model=model, parts=2, **{**short, **lora, **changes})


def launched(work, succeeds=True):
    """Does work in two processes, each told who it is as a launcher tells it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def join(rank):
        told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in (told | where).items()}
        work()

    pair = [mp.get_context("fork").Process(target=join, args=(rank,)) for rank in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(300)
    assert (not any(process.exitcode for process in pair)) == succeeds


def curve(run):
    return [(float(row["loss"]), float(row["gradient_norm"])) for row in log(run)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_curve_is_that_of_one_process(
    kind, reach_frames, reach_spec, settings, tmp_path
) -> None:
    alone = config(settings, kind)
    train(reach_frames, reach_spec, alone, tmp_path / "one")

    pieces = replace(alone, processes=2, shard=True)
    launched(lambda: train(reach_frames, reach_spec, pieces, tmp_path / "two"))

    for one, two in zip(curve(tmp_path / "one"), curve(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=1e-4)
    for name, weight in weights(tmp_path / "one").items():
        found = weights(tmp_path / "two")[name]
        torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-3)  # float16


def test_a_run_in_pieces_goes_on_whole_and_the_other_way_round(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    class Interrupted(Exception):
        pass

    def stop(line):
        if line.step == 3:  # one step after a state
            raise Interrupted

    alone = config(settings, "adapters")
    pieces = replace(alone, processes=2, shard=True)
    given = reach_frames, reach_spec
    train(*given, alone, tmp_path / "one")

    launched(lambda: train(*given, pieces, tmp_path / "first", on_progress=stop), succeeds=False)
    train(*given, alone, tmp_path / "first", resume=True)
    with pytest.raises(Interrupted):
        train(*given, alone, tmp_path / "then", on_progress=stop)
    launched(lambda: train(*given, pieces, tmp_path / "then", resume=True))

    for run in ("first", "then"):
        for one, two in zip(curve(tmp_path / "one"), curve(tmp_path / run), strict=True):
            assert two == pytest.approx(one, rel=1e-4)


def test_a_vocabulary_from_wheels_is_saved_with_the_policy(
    reach_frames, reach_spec, settings, tmp_path, monkeypatch
) -> None:
    words = Tokenizer(WordLevel({"reach": 7, "[UNK]": 0}, "[UNK]")).to_str()

    def take_words(backbone):
        backbone.vocabulary = Pieces(words)

    monkeypatch.setattr(PretrainedNano, "load_wheels", take_words)
    pieces = config(settings, "remembered sentences", processes=2, shard=True)

    launched(lambda: train(reach_frames, reach_spec, pieces, tmp_path / "run"))

    kept = TinyVLAPolicy.from_pretrained(tmp_path / "run" / "checkpoint").model.backbone
    assert kept.vocabulary.encode("reach") == [7]


def a_learner(settings):
    torch.manual_seed(0)
    model = build(config(settings, "adapters").model, INTERFACE)
    adapt(model, config(settings, "adapters"))
    return Learner(model, times=1, state_size=2, weight=0.5)


def test_a_process_keeps_its_pieces_and_can_ask_for_the_rest(settings, tmp_path) -> None:
    before = a_learner(settings).state_dict()

    def keep(team):
        learner = a_learner(settings)
        shard(learner, team.size, team.device)
        own = sum(weight.to_local().numel() for weight in learner.parameters())
        weight = next(learner.parameters())
        again = whole(piece(before["model.norm.weight"], weight))
        facts = {"own": own, "state": gathered(learner), "again": again}
        torch.save(facts, tmp_path / f"{team.rank}.pt")

    launched(lambda: run_as_team(2, keep))

    found = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    total = sum(tensor.numel() for tensor in a_learner(settings).parameters())
    assert sum(facts["own"] for facts in found) == total
    assert max(facts["own"] for facts in found) < 0.55 * total
    for facts in found:
        assert facts["state"].keys() == before.keys()
        assert all(torch.equal(tensor, before[key]) for key, tensor in facts["state"].items())
        assert torch.equal(facts["again"], before["model.norm.weight"])


def test_what_is_whole_stays_as_it_is() -> None:
    tensor = torch.ones(3)

    assert whole(tensor) is tensor
    assert piece(tensor, torch.zeros(3)) is tensor


def test_one_process_has_nobody_to_share_with(settings) -> None:
    with pytest.raises(ConfigError, match="shard=True needs processes to share the weights"):
        replace(settings, shard=True)


def test_forks_cannot_share_weights(reach_frames, reach_spec, settings, tmp_path) -> None:
    pieces = replace(settings, parts=2, processes=2, shard=True)

    with pytest.raises(ConfigError, match="that a launcher has started: accelerate launch"):
        train(reach_frames, reach_spec, pieces, tmp_path / "run")
