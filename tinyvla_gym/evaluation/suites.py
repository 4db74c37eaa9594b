"""Named sets of tasks."""

from tinyvla_gym.envs.registration import METAWORLD_TASKS, metaworld_id
from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.evaluation.opposites import OPPOSITES

MT10 = (
    *("reach", "push", "pick-place", "door-open", "drawer-open", "drawer-close"),
    *("button-press-topdown", "peg-insert-side", "window-open", "window-close"),
)

DEMO = (
    *("door-open", "drawer-open", "drawer-close"),
    *("button-press-topdown", "window-open", "window-close"),
)

ML45_TEST = ("bin-picking", "box-close", "door-lock", "door-unlock", "hand-insert")

# Difficulty tiers of Seo et al., arXiv 2206.14244, which the field averages over.
TIERS = {
    "medium": (
        *("basketball", "bin-picking", "box-close", "coffee-pull", "coffee-push", "hammer"),
        *("peg-insert-side", "push-wall", "soccer", "sweep", "sweep-into"),
    ),
    "hard": ("assembly", "hand-insert", "pick-out-of-hole", "pick-place", "push", "push-back"),
    "very_hard": ("shelf-place", "disassemble", "stick-pull", "stick-push", "pick-place-wall"),
}
_HARDER = {task for tasks in TIERS.values() for task in tasks}
TIERS = {"easy": tuple(task for task in METAWORLD_TASKS if task not in _HARDER), **TIERS}


def suite_tasks(suite: str) -> dict[str, str]:
    """Returns a suite's tasks and their Gymnasium ids, in order.

    Args:
        suite: ``mt10``, ``mt50``, ``ml45-test``, ``demo``, a tier (``easy``, ``medium``, ``hard``,
            ``very_hard``), ``mt1:<task>``, ``opposites``, or ``reach``, the toy.

    Raises:
        UnknownNameError: If there is no such suite or task.
    """
    if suite == "reach":
        return {"toy-reach": "TinyVLA/Reach-v0"}
    if suite == "opposites":
        return {name: metaworld_id(opposite.scene) for name, opposite in OPPOSITES.items()}
    sets = {"mt10": MT10, "mt50": METAWORLD_TASKS, "ml45-test": ML45_TEST, "demo": DEMO, **TIERS}
    tasks = sets.get(suite, ())
    if suite.startswith("mt1:"):
        tasks = (suite.removeprefix("mt1:"),)
        if tasks[0] not in METAWORLD_TASKS:
            raise UnknownNameError("MetaWorld task", tasks[0], METAWORLD_TASKS)
    if not tasks:
        raise UnknownNameError("suite", suite, [*sets, "opposites", "reach", "mt1:<task>"])
    return {task: metaworld_id(task) for task in tasks}
