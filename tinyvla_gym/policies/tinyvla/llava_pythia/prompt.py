"""The sentence as LLaVA-Pythia reads it: a conversation whose answer is yet to come.

The released code trains on two spaces after ``ASSISTANT:`` and evaluates on one, which are
different tokens; and only training strips the instruction. Both forms are here by name, and a bare
one for bodies that no conversation has taught anything.
"""

from typing import Literal

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.prompts import Prompts
from tinyvla_gym.policies.tinyvla.vocabulary import Vocabulary

PromptForm = Literal["training", "evaluation", "bare"]

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
BEFORE = f"{SYSTEM} USER: "
"""What stands before the pictures in a conversation."""
END_OF_TEXT = 0

_AFTER = {
    "training": lambda instruction: f"\n{instruction.strip()} ASSISTANT:  ",
    "evaluation": lambda instruction: f"\n{instruction} ASSISTANT: ",
    "bare": lambda instruction: f" {instruction.strip()}",
}


def conversation(vocabulary: Vocabulary, *, form: PromptForm, longest: int) -> Prompts:
    """Makes the released prompts.

    Args:
        vocabulary: Splits text into pieces.
        form: ``training``: stripped, two spaces before the answer; ``evaluation``: as given, one
            space; ``bare``: nothing but the sentence, stripped.
        longest: Pieces that the body has places for, the pictures' mark among them.

    Raises:
        ConfigError: If the form is another, or a prompt does not fit even without a sentence.
    """
    if form not in _AFTER:
        raise ConfigError(f"The prompt's form is bare, training or evaluation, got {form!r}.")
    before = "" if form == "bare" else BEFORE
    return Prompts(
        vocabulary, before=before, after=_AFTER[form], end=(END_OF_TEXT,), longest=longest
    )
