"""The card that goes with a policy to the hub: what it is, what it needs, how it is used."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tinyvla_gym.interface import Interface

if TYPE_CHECKING:
    from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy


def card(policy: "TinyVLAPolicy", hub_id: str, words: str = "") -> str:
    """Writes a policy's card.

    Args:
        policy: What the card is about; every number on it is the policy's own.
        hub_id: Where the policy will lie.
        words: What should be said besides, in Markdown.
    """
    spec, interface = policy.spec, policy.spec.interface
    sections = [
        "---\nlibrary_name: tinyvla-gym\npipeline_tag: robotics\n"
        "tags: [robotics, vision-language-action, tinyvla]\n---",
        f"# {spec.name}",
        f"A TinyVLA policy (arXiv 2409.12514) for [tinyvla-gym](https://pypi.org/project/"
        f"tinyvla-gym): backbone `{policy.config.backbone}`, "
        f"{policy.parameters / 1e6:.1f} million weights. It plans {spec.horizon} actions at "
        f"{interface.control_hz:g} Hz and plays {spec.execute} of them before it looks again.",
        words.strip(),
        "## Use",
        "```python\nfrom tinyvla_gym import load_policy\n\n"
        f'policy = load_policy("{hub_id}")\n'
        "chunk = policy.plan(observation)  # (K, A)\n```",
        f"`gym.make(id, **policy.spec.env_options)` makes an env that fits; the options are "
        f"`{dict(spec.env_options)}`"
        + (f", the render profile `{spec.profile}`." if spec.profile else "."),
        "## What it sees and does",
        _table(interface),
        "## How it was made",
        "\n".join(_listed(policy.facts)) or "Nothing is known about its making.",
        "Nothing on this card says how often it succeeds: measure it with "
        f"`tinyvla-gym evaluate --policy {hub_id}`.",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _table(interface: Interface) -> str:
    rows = [
        "| | name | range |\n| --- | --- | --- |",
        *(f"| camera | {c.name} | {c.height} x {c.width} px |" for c in interface.cameras),
        *_entries("state", interface.state, interface.state_low, interface.state_high),
        *_entries("action", interface.action, interface.action_low, interface.action_high),
    ]
    return "\n".join(rows)


def _entries(
    what: str, names: tuple[str, ...], low: tuple[float, ...], high: tuple[float, ...]
) -> list[str]:
    return [
        f"| {what} | {name} | {bottom:g} to {top:g} |"
        for name, bottom, top in zip(names, low, high, strict=True)
    ]


def _listed(facts: Mapping[str, Any], indent: str = "") -> list[str]:
    """Facts as a list in Markdown, facts within facts as lists within it; not those of nothing."""
    lines: list[str] = []
    for key, value in facts.items():
        if value in (None, {}, [], (), ""):
            continue
        if isinstance(value, Mapping):
            lines += [f"{indent}- {key}:", *_listed(value, f"{indent}  ")]
        else:
            many = isinstance(value, list | tuple)
            lines.append(f"{indent}- {key}: {', '.join(map(str, value)) if many else value}")
    return lines
