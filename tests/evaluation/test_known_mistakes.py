"""Mistakes that evaluation loops have shipped with; each must be seen, and must not be ours.

A broken subject makes each mistake, so that the check itself is checked.
"""

import json
import shutil

import numpy as np
import pytest
from fakes import CountingPolicy, ScriptedEnv, WanderingPolicy
from reach_checkpoint import save_checkpoint

from tinyvla_gym.chunking import RecedingHorizon
from tinyvla_gym.errors import CheckpointError, ConfigError
from tinyvla_gym.evaluation.shards import ShardFolder
from tinyvla_gym.loop import rollouts
from tinyvla_gym.policies.checkpoint import fingerprint
from tinyvla_gym.policies.load import load_policy

SEEDS = range(1_000_000, 1_000_008)


class SpokenEnv(ScriptedEnv):
    """Nothing but its sentence says where the dot is."""

    def _begin(self, seed, options):
        super()._begin(seed, options)
        self.instruction = f"{self.goal_m[0]:.4f} {self.goal_m[1]:.4f}"
        return {}


class Obedient(CountingPolicy):
    """Goes where the sentence says."""

    def plan_batch(self, observations, *, noise=None):
        chunks = []
        for seen in observations:
            goal = np.array([float(word) for word in seen["instruction"].split()])
            towards = np.clip((goal - seen["state"]) / 0.1, -1, 1)
            chunks.append(np.tile(towards, (self.spec.horizon, 1)))
        return np.array(chunks, np.float32)


class FirstSentenceForAll(Obedient):
    """The mistake: env 0's sentence for every env."""

    def plan_batch(self, observations, *, noise=None):
        told = [{**seen, "instruction": observations[0]["instruction"]} for seen in observations]
        return super().plan_batch(told, noise=noise)


class OneChunkForAll(RecedingHorizon):
    """The mistake: what is left of one env's chunk is played in the others too."""

    def begin(self, seed=None):
        slot = super().begin(seed)
        self._shared = getattr(self, "_shared", slot.pending)
        slot.pending = self._shared
        return slot


def solved(policy, envs):
    agent = RecedingHorizon(policy, execute=1)
    outcomes = rollouts([SpokenEnv() for _ in range(envs)], agent, SEEDS)
    return [one.success for one in outcomes]


def test_every_env_is_told_its_own_sentence() -> None:
    assert solved(Obedient(horizon=1), 4) == [True] * 8

    assert solved(FirstSentenceForAll(horizon=1), 1) == [True] * 8  # alone nobody would notice
    assert sum(solved(FirstSentenceForAll(horizon=1), 4)) < 8


def played(agent_class, envs):
    return rollouts([ScriptedEnv() for _ in range(envs)], agent_class(WanderingPolicy()), SEEDS)


def test_every_env_plays_its_own_chunk() -> None:
    assert played(RecedingHorizon, 4) == played(RecedingHorizon, 1)

    assert played(OneChunkForAll, 4) != played(RecedingHorizon, 1)


class TestWrongStatistics:
    """Statistics of another dataset: another policy, whatever its weights."""

    @pytest.fixture
    def checkpoints(self, tmp_path):
        """A checkpoint, and one with the same weights and other statistics."""
        right, wrong = tmp_path / "right", tmp_path / "wrong"
        save_checkpoint(right)
        shutil.copytree(right, wrong)
        self.change(wrong, lambda stats: stats["action"]["hand_dx_3cm"].update(low=-0.1, high=0.1))
        return right, wrong

    def change(self, folder, spoil):
        config = json.loads((folder / "config.json").read_text())
        action = config["normalizer"]["action"]
        first = next(iter(action))
        action = {"hand_dx_3cm": action.pop(first), **action}
        config["normalizer"]["action"] = action
        spoil(config["normalizer"])
        named = config["normalizer"]["action"]
        config["normalizer"]["action"] = {
            (first if name == "hand_dx_3cm" else name): row for name, row in named.items()
        }
        (folder / "config.json").write_text(json.dumps(config))

    def test_they_change_the_fingerprint_and_cannot_join_a_broken_off_run(
        self, checkpoints, tmp_path
    ) -> None:
        right, wrong = (fingerprint(folder) for folder in checkpoints)
        folder = ShardFolder(tmp_path / "shards")
        folder.open({"fingerprint": right}, resume=False)

        assert right != wrong
        with pytest.raises(ConfigError, match=f"fingerprint: {right} then, {wrong} now"):
            folder.open({"fingerprint": wrong}, resume=True)

    def test_they_change_what_is_played(self, checkpoints) -> None:
        right, wrong = (load_policy(str(folder)) for folder in checkpoints)
        seen = right.spec.interface.observation_space().sample()
        seen["instruction"] = "touch the dot"
        noise = np.ones((1, *right.spec.noise_shape), np.float32)

        ours, theirs = (one.plan_batch([seen], noise=noise) for one in (right, wrong))

        assert not np.array_equal(ours, theirs)

    def test_statistics_that_are_missing_are_never_passed_over(self, checkpoints) -> None:
        _, wrong = checkpoints
        self.change(wrong, lambda stats: stats["action"].popitem())

        with pytest.raises(CheckpointError, match="normaliser has action statistics for"):
            load_policy(str(wrong))
