"""Drive an env with the bundled policy and film it.

    python examples/02_roll_out_a_policy.py

The last line reads ``film in runs/drawer-open.mp4``.
"""

import gymnasium as gym

from tinyvla_gym import RecedingHorizon, VideoListener, load_policy, rollout

if __name__ == "__main__":
    policy = load_policy("nano")
    env = gym.make("TinyVLA/MetaWorld-drawer-open-v3", **policy.spec.env_options)
    film = VideoListener(
        "runs/drawer-open.mp4", interface=env.unwrapped.interface, frame=env.render
    )
    outcome = rollout(env, RecedingHorizon(policy), seed=1_000_000, listeners=[film])
    env.close()
    print(f"success: {outcome.success} after {outcome.steps} steps")
    print("film in runs/drawer-open.mp4")
