"""Tests for policies/onnx/reading.py: what a graph says of itself decides how it is fed."""

import json
from pathlib import Path

import numpy as np
import pytest

from tinyvla_gym.errors import CheckpointError
from tinyvla_gym.policies.onnx.reading import reading
from tinyvla_gym.policies.words import piece_ids

GOLDEN = Path(__file__).parents[2] / "golden"
FACTS = {
    "vocabulary": True,
    "prompt": "evaluation",
    "longest": 100,
    "pictures": {"side": 8, "crop_frac": 0.95, "mean": [0.5, 0.5, 0.5]},
}
PICTURES = np.random.default_rng(0).integers(0, 256, (2, 6, 10, 3)).astype(np.uint8)


def test_a_graph_that_says_nothing_hashes_words_and_takes_pictures_as_they_are(tmp_path) -> None:
    how = reading(tmp_path, None)

    np.testing.assert_array_equal(how.words(["go there"]), [piece_ids("go there")])
    assert how.pictures(PICTURES) is PICTURES


def test_prompts_are_the_released_ones_and_pictures_square() -> None:
    row = json.loads((GOLDEN / "prompts.json").read_text())["rows"][0]

    how = reading(GOLDEN, FACTS)

    assert how.words([row["instruction"]])[0].tolist() == row["eval_input_ids"]
    assert how.pictures(PICTURES).shape == (2, 8, 8, 3)


@pytest.mark.parametrize("key", FACTS)
def test_what_a_graph_does_not_say_is_named(key, tmp_path) -> None:
    with pytest.raises(CheckpointError, match=f"says nothing of its '{key}'"):
        reading(GOLDEN, {name: fact for name, fact in FACTS.items() if name != key})


def test_a_missing_vocabulary_is_named(tmp_path) -> None:
    with pytest.raises(CheckpointError, match=r"it has no tokenizer\.json"):
        reading(tmp_path, FACTS)
