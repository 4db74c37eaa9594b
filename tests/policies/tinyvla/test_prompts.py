"""Tests for policies/tinyvla/{prompts,vocabulary}.py and llava_pythia/prompt.py.

``golden/prompts.json`` has what the released code made of five instructions, and
``golden/tokenizer.json`` those pieces of GPT-NeoX's vocabulary that it takes.
"""

import json
from pathlib import Path

import pytest
import torch

from tinyvla_gym.errors import CheckpointError, ConfigError, InstructionError
from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import BEFORE, END_OF_TEXT, conversation
from tinyvla_gym.policies.tinyvla.prompts import PADDING, PICTURES
from tinyvla_gym.policies.tinyvla.trimming import trimmed
from tinyvla_gym.policies.tinyvla.vocabulary import Bytes, read_vocabulary

GOLDEN = Path(__file__).parents[2] / "golden"
TOLD = json.loads((GOLDEN / "prompts.json").read_text())
FORMS = {"training": "train", "evaluation": "eval"}


@pytest.fixture(scope="module")
def vocabulary():
    return read_vocabulary(str(GOLDEN / "tokenizer.json"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", TOLD["rows"], ids=lambda row: row["instruction"])
def test_prompts_are_the_released_ones(row, form, vocabulary) -> None:
    prompts = conversation(vocabulary, form=form, longest=2048)

    text = f"{BEFORE}<image>{prompts.after(row['instruction'])}<|endoftext|>"

    assert text == row[f"{FORMS[form]}_prompt"]
    assert prompts([row["instruction"]])[0].tolist() == row[f"{FORMS[form]}_input_ids"]


def test_a_batch_is_padded_on_the_right(vocabulary) -> None:
    prompts = conversation(vocabulary, form="training", longest=2048)

    table = torch.from_numpy(prompts([row["instruction"] for row in TOLD["rows"]]))

    wanted = torch.tensor(TOLD["collated_input_ids"])
    counts = torch.tensor(TOLD["collated_attention_mask"]).bool()
    assert torch.equal(table != PADDING, counts)
    assert torch.equal(table[counts], wanted[counts])


def test_a_sentence_cannot_move_the_pictures() -> None:
    """The released code splits the whole prompt at ``<image>``."""
    prompts = conversation(Bytes(), form="training", longest=2048)

    _, _, place = trimmed(torch.from_numpy(prompts(["<image> <image>", "go"])))

    assert place == prompts.place == len(BEFORE)
    assert (prompts(["<image>"]) == PICTURES).sum() == 1


def test_trimming_drops_what_only_longer_sentences_needed() -> None:
    prompts = conversation(Bytes(), form="evaluation", longest=2048)
    table = torch.from_numpy(prompts(["go", "a longer sentence"]))

    words, counts, _ = trimmed(table[:1])

    assert counts.all()
    assert words.shape[1] == table.shape[1] - len("a longer sentence") + len("go")


def test_a_sentence_that_is_too_long_is_refused() -> None:
    prompts = conversation(Bytes(), form="evaluation", longest=len(BEFORE) + 30)

    prompts(["short"])
    with pytest.raises(InstructionError, match=r"a prompt of \d+ pieces.*Use a shorter sentence"):
        prompts(["short", "a sentence that goes on and on and on"])


def test_a_context_without_place_for_a_prompt_is_refused() -> None:
    with pytest.raises(ConfigError, match="use fewer cameras or smaller pictures"):
        conversation(Bytes(), form="training", longest=50)


def test_a_bare_prompt_is_the_sentence_alone() -> None:
    prompts = conversation(Bytes(), form="bare", longest=64)

    (pieces,) = prompts([" go! "])

    assert prompts.place == 0
    assert list(pieces[-5:]) == [*Bytes().encode(" go!"), END_OF_TEXT]


def test_another_form_is_refused() -> None:
    with pytest.raises(ConfigError, match="training or evaluation, got 'both'"):
        conversation(Bytes(), form="both", longest=2048)


def test_bytes_read_anything() -> None:
    assert Bytes().encode("go!") == [3 + 103, 3 + 111, 3 + 33]
    assert max(Bytes().encode("\xff")) < Bytes().size


def test_a_vocabulary_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"has no tokenizer\.json; copy it from where"):
        read_vocabulary(str(tmp_path / "tokenizer.json"))


def test_a_damaged_vocabulary_is_named(tmp_path) -> None:
    (tmp_path / "tokenizer.json").write_text((GOLDEN / "tokenizer.json").read_text()[:5000])

    with pytest.raises(CheckpointError, match=r"tokenizer\.json is damaged"):
        read_vocabulary(str(tmp_path / "tokenizer.json"))
