"""Registers the ids of this package with Gymnasium, as strings: nothing heavy is imported."""

import gymnasium as gym

REACH_ID = "TinyVLA/Reach-v0"
RIG_IDS = {"TinyVLA/FrankaRig-v0": "franka", "TinyVLA/UR5Rig-v0": "ur5"}
"""Ids of real arms, and the make that each of them takes."""

METAWORLD_TASKS = (
    *("assembly", "basketball", "bin-picking", "box-close", "button-press"),
    *("button-press-topdown", "button-press-topdown-wall", "button-press-wall", "coffee-button"),
    *("coffee-pull", "coffee-push", "dial-turn", "disassemble", "door-close", "door-lock"),
    *("door-open", "door-unlock", "drawer-close", "drawer-open", "faucet-close", "faucet-open"),
    *("hammer", "hand-insert", "handle-press", "handle-press-side", "handle-pull"),
    *("handle-pull-side", "lever-pull", "peg-insert-side", "peg-unplug-side", "pick-out-of-hole"),
    *("pick-place", "pick-place-wall", "plate-slide", "plate-slide-back"),
    *("plate-slide-back-side", "plate-slide-side", "push", "push-back", "push-wall", "reach"),
    *("reach-wall", "shelf-place", "soccer", "stick-pull", "stick-push", "sweep", "sweep-into"),
    *("window-close", "window-open"),
)


def metaworld_id(task: str) -> str:
    """Returns the Gymnasium id of a MetaWorld task: ``reach`` -> ``TinyVLA/MetaWorld-reach-v3``."""
    return f"TinyVLA/MetaWorld-{task}-v3"


def rig_id(model: str) -> str:
    """Returns the Gymnasium id for arms of a model: ``ur5e`` -> ``TinyVLA/UR5Rig-v0``."""
    return next(
        name for name, make in RIG_IDS.items() if (make == "ur5") == model.startswith("ur5")
    )


def register_all() -> None:
    """Makes the ids known; a second call changes nothing."""
    _register(REACH_ID, "reach:ReachEnv", "vector_entry:make_reach")
    for task in METAWORLD_TASKS:
        _register(
            metaworld_id(task), "metaworld:MetaWorldEnv", "vector_entry:make_metaworld", task=task
        )
    for name, make in RIG_IDS.items():
        if name not in gym.registry:  # time goes its own way on metal: episodes do not repeat
            entry = "tinyvla_gym.envs.rig.env:RigEnv"
            gym.register(name, entry_point=entry, nondeterministic=True, kwargs={"make": make})


def _register(name: str, env: str, vector: str, **kwargs: str) -> None:
    if name not in gym.registry:
        gym.register(
            name,
            entry_point=f"tinyvla_gym.envs.{env}",
            vector_entry_point=f"tinyvla_gym.envs.{vector}",
            kwargs=kwargs,
        )
