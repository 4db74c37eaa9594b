"""Make an env, play its scripted expert, and look at what flows.

    python examples/01_look_at_an_env.py

The last line reads ``solved at step N``. Needs neither a GPU nor weights.
"""

import gymnasium as gym

import tinyvla_gym  # noqa: F401  (registers the ids)

if __name__ == "__main__":
    env = gym.make("TinyVLA/MetaWorld-drawer-open-v3")
    observation, info = env.reset(seed=0, options={"instruction": "pull the drawer open"})
    for name, value in observation.items():
        print(name, value if isinstance(value, str) else (value.shape, value.dtype))
    print("action entries:", ", ".join(env.unwrapped.interface.action))

    step, over = 0, False
    while not over:
        action = env.unwrapped.expert_action()
        observation, reward, terminated, truncated, info = env.step(action)
        step, over = step + 1, terminated or truncated
    env.close()
    print(f"solved at step {step}" if info["success"] else "not solved")
