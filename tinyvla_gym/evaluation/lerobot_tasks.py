"""Which MetaWorld task a sentence of LeRobot's datasets names, which they do not say themselves.

We ship none of their sentences, so each is known by a digest of its words.
"""

import hashlib

TASKS: dict[str, tuple[str, ...]] = {
    "57c006ef1b42": ("assembly",),
    "51e6372ababe": ("basketball",),
    "125adffaa8d2": ("bin-picking",),
    "c7fd06f43a61": ("box-close",),
    "7ecca8dc1610": ("button-press",),
    "1d5b959d35ea": ("button-press-topdown",),
    "4d85f28b74e9": ("button-press-topdown-wall",),
    "f6c66a281f29": ("button-press-wall",),
    "6383f4e6d411": ("coffee-button",),
    "7b95e97fdc23": ("coffee-pull",),
    "83ce04fd5065": ("coffee-push",),
    "474571c1da57": ("dial-turn",),
    "e18161f99775": ("disassemble",),
    "7b3806cbc98f": ("door-close",),
    "2c572ba2d8c4": ("door-lock",),
    "04b142afd445": ("door-open",),
    "09da6e8cc172": ("door-unlock",),
    "7576bf4b1cf1": ("drawer-close",),
    "5cd82040b183": ("drawer-open",),
    "42061be54aad": ("faucet-close",),
    "38553cdf0454": ("faucet-open",),
    "1804e8f19ed9": ("hammer",),
    "c107c684b0ca": ("hand-insert",),
    "3506c8c0f0cb": ("handle-press",),
    "49dcaee5b1c6": ("handle-press-side",),
    "b3d084a5871b": ("handle-pull",),
    "fda07e64d5e8": ("handle-pull-side",),
    "acc98946f812": ("lever-pull",),
    "879aaeeb011f": ("peg-insert-side",),
    "2c9477b0ff10": ("peg-unplug-side",),
    "48d8cb05ac42": ("pick-out-of-hole",),
    "45cfaf0c35ca": ("pick-place",),
    "f9c6044954b1": ("pick-place-wall",),
    "c12e5c00d711": ("plate-slide",),
    "4db19c629bc2": ("plate-slide-back",),
    "f42c507a8b51": ("plate-slide-back-side",),
    "24c5fb982da3": ("plate-slide-side",),
    "cb189830f8e9": ("push", "push-back"),
    "c96b4549ce4e": ("push-wall",),
    "e239efd7e256": ("reach",),
    "f392a05a7f11": ("reach-wall",),
    "44c76ae969d0": ("shelf-place",),
    "f87cda4740ef": ("soccer",),
    "34eb29acf514": ("stick-pull",),
    "9e927d52090a": ("stick-push",),
    "c1e48f30f987": ("sweep",),
    "41005d62f37d": ("sweep-into",),
    "bb2b1f5d6ca6": ("window-close",),
    "d0bb68af864f": ("window-open",),
}
"""Digest of a sentence to the tasks that it names."""


def tasks_named_by(sentence: str) -> tuple[str, ...]:
    """Returns the MetaWorld tasks that LeRobot tells this sentence; none if it does not."""
    return TASKS.get(digest_of(sentence), ())


def digest_of(sentence: str) -> str:
    """Twelve hexadecimal digits; capitals, spaces and a full stop at the end do not matter."""
    words = " ".join(sentence.lower().rstrip(". ").split())
    return hashlib.sha256(words.encode()).hexdigest()[:12]
