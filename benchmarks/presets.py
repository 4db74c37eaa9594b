"""Every preset: one plan and one LoRA step, in full size and float32, and the memory for both."""

from benchmarks import peers
from benchmarks.findings import Finding
from benchmarks.refusal import Refusal
from benchmarks.settings import Settings
from tinyvla_gym.training.presets import PRESETS

MOST_GB = 24.0


def measure(settings: Settings) -> list[Finding]:
    """Tries each preset in a process of its own, on one frame of two cameras; ``tasks`` names some.

    Raises:
        Refusal: If a plan or a loss is not finite.
    """
    found = []
    for name in settings.chosen_tasks("all", among=tuple(PRESETS)):
        with peers.learners() as ours:
            tried = ours.ask("one_of_each", name=name)
            versions = {"ours": ours.ask("versions")}
        if not tried.pop("finite"):
            raise Refusal(f"The plan or the loss of {name} is not finite.")
        found.append(
            Finding(
                name=f"preset-{name}",
                number=15,
                what=f"a plan and a LoRA step of the preset {name}, one frame",
                peer="none",
                bar=MOST_GB,
                unit="GB at the most",
                value=tried.pop("peak_gb"),
                check={"plan and loss are finite": True},
                more=tried,
                versions=versions,
            )
        )
    return found
