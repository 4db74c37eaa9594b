"""The checks of envs are tested on envs that break one promise each."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from fakes import INTERFACE, ScriptedEnv
from gymnasium import spaces

from tinyvla_gym.contracts import check_env
from tinyvla_gym.envs.env import ManipulationEnv
from tinyvla_gym.interface import check_instruction


def test_good_envs_pass() -> None:
    check_env(ScriptedEnv())
    check_env(gym.make("TinyVLA/Reach-v0", render_size=16))
    check_env(gym.make("TinyVLA/Reach-v0"), skip_render_check=True)


def test_what_is_not_ours_is_named() -> None:
    with pytest.raises(AssertionError, match="has no interface; subclass ManipulationEnv"):
        check_env(gym.make("CartPole-v1"))


class WrongSpace(ScriptedEnv):
    def __init__(self):
        super().__init__()
        self.action_space = spaces.Box(-2, 2, (2,), np.float32)


class OutsideSpace(ScriptedEnv):
    def observe(self):
        return {**super().observe(), "state": np.full(2, 9, np.float32)}


class SameBuffer(ScriptedEnv):
    buffer = np.zeros(2, np.float32)

    def observe(self):
        self.buffer[:] = self.place_m
        return {**super().observe(), "state": self.buffer}


class RestlessCamera(ScriptedEnv):
    def observe(self):
        picture = np.full((12, 16, 3), self.looks % 200, np.uint8)
        return {**super().observe(), "image_front": picture}


class NoSuccess(ScriptedEnv):
    def _info(self, sent, *, success, more):
        info = super()._info(sent, success=success, more=more)
        del info["success"]
        return info


class NumpySuccess(ScriptedEnv):
    def _tick(self, action):
        reward, sent, success, more = super()._tick(action)
        return reward, sent, np.bool_(success), more


class DoublePrecision(ScriptedEnv):
    def _tick(self, action):
        reward, sent, success, more = super()._tick(action)
        return reward, sent.astype(np.float64), success, more


class ForeignSeed(ScriptedEnv):
    def _info(self, sent, *, success, more):
        return {**super()._info(sent, success=success, more=more), "seed": 3}


class TwoSentences(ScriptedEnv):
    def observe(self):
        return {**super().observe(), "instruction": "something else"}


class Unseeded(ScriptedEnv):
    def _begin(self, seed, options):
        return super()._begin(None, options)


class SeedIgnored(ScriptedEnv):
    def _begin(self, seed, options):
        return super()._begin(0, options)


class DemonstrationSeeds(ScriptedEnv):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=17 if seed is None else seed, options=options)


class LazyStep(ScriptedEnv):
    def step(self, action):
        observation = self.observe()
        return observation, *self.advance(action)


class HeavyCamera(ScriptedEnv):
    """Taking a picture pushes the goal, which no picture shows."""

    def observe(self):
        self.goal_m = self.goal_m + 0.01
        return super().observe()


class SwallowsNaN(ScriptedEnv):
    def advance(self, action):
        return super().advance(np.nan_to_num(action, posinf=0))


class MovesBeforeItLooks(ScriptedEnv):
    def advance(self, action):
        self.place_m = self.place_m + 0.01 * np.nan_to_num(action, posinf=1)
        return super().advance(action)


class PlainValueError(ScriptedEnv):
    def advance(self, action):
        if not np.isfinite(action).all():
            raise ValueError("bad action")
        return super().advance(action)


class Endless(ScriptedEnv):
    def advance(self, action):
        reward, _, _, info = super().advance(action)
        self._running = True
        return reward, False, False, info


class EndsEarly(ScriptedEnv):
    def advance(self, action):
        reward, terminated, truncated, info = super().advance(action)
        return reward, terminated, truncated or self.ticks >= 20, info


class PlaysOn(ScriptedEnv):
    def advance(self, action):
        self._running = True
        return super().advance(action)


class Deaf(ScriptedEnv):
    def reset(self, *, seed=None, options=None):
        check_instruction((options or {}).get("instruction", ""))
        return super().reset(seed=seed)


class Forgetful(ScriptedEnv):
    def _tick(self, action):
        self.instruction = "touch the dot"
        return super()._tick(action)


class Stubborn(ScriptedEnv):
    kept = None

    def reset(self, *, seed=None, options=None):
        self.kept = (options or {}).get("instruction", self.kept)
        return super().reset(seed=seed, options={"instruction": self.kept})


class Polyglot(ScriptedEnv):
    def reset(self, *, seed=None, options=None):
        sentence = (options or {}).pop("instruction", "").encode("ascii", "ignore").decode()
        return super().reset(seed=seed, options={"instruction": sentence.strip()[:99] or None})


class BoundlessState(ScriptedEnv):
    """Only Gymnasium's own check looks for this."""

    def __init__(self):
        super().__init__()
        self.interface = replace(INTERFACE, state_low=(-np.inf, -1.0))
        self.observation_space = self.interface.observation_space()


BROKEN_ENVS = {
    WrongSpace: "action_space is .*, its interface says",
    OutsideSpace: r"reset\(\) returned an observation outside its space",
    SameBuffer: "state is not a fresh array",
    RestlessCamera: r"observe\(\) right after reset\(\) shows something else",
    NoSuccess: "info has no 'success'",
    NumpySuccess: r"info\['success'\] is .*, not a bool",
    DoublePrecision: r"info\['sent_action'\] is float64, not float32",
    ForeignSeed: r"info\['seed'\] is 3 after reset\(seed=500000\)",
    TwoSentences: "info and observation name two sentences",
    Unseeded: "two episodes with one seed differ",
    SeedIgnored: "the seed is ignored",
    DemonstrationSeeds: r"reset\(\) drew the seed 17",
    LazyStep: r"advance\(\) and observe\(\) differ from step\(\)",
    HeavyCamera: r"observe\(\) changes what advance\(\) does",
    SwallowsNaN: "step with nan did not raise ActionNotFiniteError",
    MovesBeforeItLooks: "an action that is not finite moved something",
    PlainValueError: r"step with nan raised ValueError\('bad action'\) instead of",
    Endless: "still runs after its horizon of 30 ticks",
    EndsEarly: "truncated after 20 ticks, its horizon is 30",
    PlaysOn: r"step\(\) after the end did not raise EpisodeOverError",
    Deaf: "gave 'touch the dot'",
    Forgetful: "after a step .* became 'touch the dot'",
    Stubborn: "outlived its episode",
    Polyglot: "the sentence 'touch the caf.' did not raise InstructionError",
}


@pytest.mark.parametrize(("broken", "complaint"), BROKEN_ENVS.items(), ids=lambda x: str(x)[:40])
def test_a_broken_env_is_named(broken: type[ManipulationEnv], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_env(broken())


def test_gymnasiums_own_check_is_part_of_ours() -> None:
    with pytest.raises(UserWarning, match="minimum value is -infinity"):
        check_env(BoundlessState())
