"""MetaWorld's simulator with the waste taken out of its step, its reset and its construction."""

# pyright: reportAttributeAccessIssue=false
# (mujoco ships no types)

import math
from functools import cache
from typing import Any

import mujoco
import numpy as np
from gymnasium.utils import seeding
from metaworld.env_dict import ALL_V3_ENVIRONMENTS
from metaworld.sawyer_xyz_env import SawyerXYZEnv
from numpy.typing import NDArray

from tinyvla_gym.envs.sawyer.caging import caging
from tinyvla_gym.envs.sawyer.models import Settled, shared_model
from tinyvla_gym.envs.sawyer.tasks import faster

_FINGERS_DOWN = np.array([1.0, 0.0, 1.0, 0.0])  # the hand's quaternion
_ONES = np.ones(3, np.float32)
_MINUS_ONES = -_ONES
_WHOLE_STATE = mujoco.mjtState.mjSTATE_INTEGRATION


class FastSawyer(SawyerXYZEnv):
    """What the fifty tasks share: each method gives what MetaWorld's does, bit by bit."""

    def _initialize_simulation(self) -> tuple[Any, Any]:
        self._shared = shared_model(self.fullpath)
        self._places = self._shared.pristine
        model = self._shared.model
        data = mujoco.MjData(model)
        self._bodies_m = {model.body(i).name: data.xpos[i] for i in range(model.nbody)}
        self._sites_m = {model.site(i).name: data.site_xpos[i] for i in range(model.nsite)}
        self._hand_m = self._bodies_m["hand"]
        self._claws_m = self._bodies_m["rightclaw"], self._bodies_m["leftclaw"]
        self._tips_m = self._sites_m["rightEndEffector"], self._sites_m["leftEndEffector"]
        self._finger_pads_m = self._bodies_m["leftpad"], self._bodies_m["rightpad"]
        self._mocap = data.mocap_pos[0], data.mocap_quat[0]
        self._pads = model.geom("leftpad_geom").id, model.geom("rightpad_geom").id
        return model, data

    def seed(self, seed: int) -> list[int]:
        """Seeds what ``reset`` draws; the spaces, which nobody samples, are left alone."""
        self.np_random, seed = seeding.np_random(seed)
        return [seed]

    def freeze_goal(self, goal: NDArray[np.float64] | None) -> None:
        """Makes ``reset`` begin from a goal, shape (3,) or (6,), or draw again if None."""
        self._freeze_rand_vec = goal is not None
        self._last_rand_vec = goal

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Begins an episode; see ``SawyerXYZEnv.reset``.

        MetaWorld resets twice. Of the first time only what was drawn remains, and where it
        put the bodies, which the hand meets while it settles the second time.
        """
        with self._shared.lock:
            self._shared.lend(self._places)
            self.curr_path_length = 0
            self._rehearsing = True
            self.reset_model()
            self._rehearsing = False
            mujoco.mj_resetData(self.model, self.data)
            obs = self.reset_model()
            self._places = self._shared.current_places()
        self._prev_obs = obs[:18].copy()
        obs[18:36] = self._prev_obs
        return obs, {}

    def locate(self) -> None:
        """Recomputes where things are; MetaWorld moves some at reset without doing so."""
        with self._shared.lock:
            self._shared.lend(self._places)
            mujoco.mj_kinematics(self.model, self.data)
            mujoco.mj_comPos(self.model, self.data)
            mujoco.mj_camlight(self.model, self.data)

    def _reset_hand(self, steps: int = 50) -> None:
        if not self._rehearsing:
            self._settle_hand(steps)
        self.init_tcp = self.tcp_center

    def _settle_hand(self, steps: int) -> None:
        given = self.model.body_pos.tobytes() + np.asarray(self.hand_init_pos).tobytes()
        settled = self._shared.settled
        if settled is None or settled.given != given:
            for _ in range(steps - 1):
                self._hold_hand()
            state = np.empty(mujoco.mj_stateSize(self.model, _WHOLE_STATE))
            mujoco.mj_getState(self.model, self.data, state, _WHOLE_STATE)
            settled = self._shared.settled = Settled(given, state)
        mujoco.mj_setState(self.model, self.data, settled.state, _WHOLE_STATE)
        self._hold_hand()

    def _hold_hand(self) -> None:
        place_m, turn = self._mocap
        place_m[:] = self.hand_init_pos
        turn[:] = _FINGERS_DOWN
        self.data.ctrl[:] = -1, 1
        mujoco.mj_step(self.model, self.data, nstep=self.frame_skip)

    def step(self, action: NDArray[np.float32]) -> Any:
        """Plays one control tick; see ``SawyerXYZEnv.step``.

        MetaWorld also computes the forces on all bodies, and puts the goal's marker into a place
        that the forward pass overwrites; nothing reads either.
        """
        with self._shared.lock:
            self._shared.lend(self._places)
            self.set_xyz_action(action[:3])
            self.data.ctrl[:] = action[-1], -action[-1]
            mujoco.mj_step(self.model, self.data, nstep=self.frame_skip)
            mujoco.mj_forward(self.model, self.data)
            obs = self._get_obs()
            low, high = self._obs_bounds
            np.minimum(np.maximum(obs, low, out=obs), high, out=obs)
            reward, info = self.evaluate_state(obs, action)
        return obs, reward, False, False, info

    def set_xyz_action(self, action: NDArray[np.float32]) -> None:
        """Moves the target of the hand by up to 1 cm along each axis, shape (3,)."""
        place_m, turn = self._mocap
        moved_m = place_m + np.minimum(np.maximum(action, _MINUS_ONES), _ONES) * self.action_scale
        place_m[:] = np.minimum(np.maximum(moved_m, self.mocap_low), self.mocap_high)
        turn[:] = _FINGERS_DOWN

    @property
    def tcp_center(self) -> NDArray[np.float64]:
        """The middle between the fingers' tips [m], shape (3,)."""
        right_m, left_m = self._tips_m
        return (right_m + left_m) / 2.0

    def get_endeff_pos(self) -> NDArray[np.float64]:
        """The hand [m], a view of the state, shape (3,)."""
        return self._hand_m

    def get_body_com(self, body_name: str) -> NDArray[np.float64]:
        """A body's origin [m], a view of the state, shape (3,)."""
        return self._bodies_m[body_name]

    def _get_site_pos(self, site_name: str) -> NDArray[np.float64]:
        return self._sites_m[site_name].copy()

    def gripper_open_frac(self) -> float:
        """How far apart the fingers are, 0 closed, 1 open."""
        right_m, left_m = self._claws_m
        apart_m = right_m - left_m
        return min(max(math.sqrt(apart_m.dot(apart_m)) / 0.1, 0.0), 1.0)

    def _get_curr_obs_combined_no_goal(self) -> NDArray[np.float64]:
        places_m, turns = self._get_pos_objects(), self._get_quat_objects()
        obs = np.zeros(18)
        obs[:3] = self._hand_m
        obs[3] = self.gripper_open_frac()
        for i in range(len(places_m) // 3):
            start = 4 + 7 * i
            obs[start : start + 3] = places_m[3 * i : 3 * i + 3]
            obs[start + 3 : start + 7] = turns[4 * i : 4 * i + 4]
        return obs

    def _get_obs(self) -> NDArray[np.float64]:
        obs = np.empty(39)
        obs[18:36] = self._prev_obs
        obs[:18] = self._prev_obs = self._get_curr_obs_combined_no_goal()
        obs[36:] = self._target_pos
        return obs

    def _gripper_caging_reward(self, *positional: Any, **named: Any) -> Any:
        return caging(self, *positional, **named)

    def pads_y_m(self) -> list[float]:
        """The pads of the left and the right finger along the axis that they close along [m]."""
        return [float(pad_m[1]) for pad_m in self._finger_pads_m]

    def touching_object(self, object_geom_id: int) -> bool:
        """Whether both pads of the gripper push against a shape."""
        pushes = {pad: 0.0 for pad in self._pads}
        contact, forces = self.data.contact, self.data.efc_force
        for i, (one, other) in enumerate(contact.geom.tolist()):
            pad = one if other == object_geom_id else other
            if pad in pushes and object_geom_id in (one, other):
                pushes[pad] += forces[contact.efc_address[i]]
        return all(push > 0 for push in pushes.values())


@cache
def _task_class(task: str) -> type[FastSawyer]:
    return faster(ALL_V3_ENVIRONMENTS[f"{task}-v3"], FastSawyer)


def make_simulator(task: str) -> Any:
    """Builds a task's simulator; the first one in a process compiles the model.

    Args:
        task: MetaWorld's name without suffix: ``drawer-open``.
    """
    kind: Any = _task_class(task)
    shared = shared_model(kind.model_name.fget(None))
    with shared.lock:
        shared.lend(shared.pristine)
        sim = kind()
    # What MT1 sets for its tasks, save that goals follow our seed instead of being frozen.
    sim._set_task_called = True
    sim._freeze_rand_vec = False
    sim.seeded_rand_vec = True
    sim._partially_observable = False
    del sim.sawyer_observation_space  # cached for hidden goals
    space = sim.sawyer_observation_space
    sim._obs_bounds = space.low, space.high
    return sim
