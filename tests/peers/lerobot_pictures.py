"""Draws given states with the real LeRobot's MetaWorld env. Run by its own Python.

.venv-peers/lerobot/bin/python tests/peers/lerobot_pictures.py WORLDS.npz PICTURES.npz
"""

import importlib.util
import sys
import types

import mujoco
import numpy as np


def real_module():
    """LeRobot's env alone: its package would import torch for a type's name."""
    folder = importlib.util.find_spec("lerobot").submodule_search_locations[0]
    sys.modules["lerobot.processor"] = types.SimpleNamespace(RobotObservation=dict)
    spec = importlib.util.spec_from_file_location(
        "lerobot_metaworld", f"{folder}/envs/metaworld.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main(worlds, pictures):
    """Draws every state that the file holds."""
    module, given, drawn = real_module(), np.load(worlds), {}
    for task in given["tasks"]:
        env = module.MetaworldEnv(task=f"{task}-v3", obs_type="pixels_agent_pos")
        sim = env._env
        for owner, names in (
            (sim.model, ("body_pos", "body_quat", "site_pos", "geom_pos")),
            (sim.data, ("qpos", "qvel", "mocap_pos", "mocap_quat")),
        ):
            for name in names:
                getattr(owner, name)[:] = given[f"{task}/{name}"]
        mujoco.mj_forward(sim.model, sim.data)
        sim.data.site_xpos[:] = given[f"{task}/site_xpos"]
        seen = env._format_raw_obs(given[f"{task}/privileged"])
        drawn[f"{task}/pixels"], drawn[f"{task}/agent_pos"] = seen["pixels"], seen["agent_pos"]
    np.savez(pictures, **drawn)


if __name__ == "__main__":
    main(*sys.argv[1:])
