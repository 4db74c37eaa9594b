"""Tests for training/start.py; what the command line makes of it is tested by test_cli_train.py."""

from dataclasses import replace

import pytest
import torch
from tiny_models import CONFIG, a_policy

from tinyvla_gym.errors import UnknownNameError
from tinyvla_gym.training.config import TrainConfig
from tinyvla_gym.training.start import with_another_head


def settings(**model) -> TrainConfig:
    return TrainConfig(model=replace(CONFIG, **model), seed=3)


def test_all_but_the_head_stays() -> None:
    before = a_policy()

    after = with_another_head(before, "regression", settings())

    assert after.config == replace(before.config, head="regression")
    assert after.normalizer is before.normalizer
    kept, fresh = before.model.state_dict(), after.model.state_dict()
    names = {name for name in kept if not name.startswith("head.")}
    assert names == {name for name in fresh if not name.startswith("head.")}
    assert all(torch.equal(kept[name], fresh[name]) for name in names)


def test_a_seed_draws_the_fresh_weights() -> None:
    heads = [
        with_another_head(a_policy(), "regression", replace(settings(), seed=seed)).model.head
        for seed in (3, 3, 4)
    ]

    first, again, other = (head.state_dict()["layers.0.0.weight"] for head in heads)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_settings_say_how_much_of_a_chunk_is_played() -> None:
    for execute, played in ((2, 2), (16, CONFIG.horizon)):
        asked = settings(execute=execute, horizon=16)

        after = with_another_head(a_policy(), "regression", asked)

        assert (after.config.execute, after.spec.execute) == (played, played)
        assert after.spec.horizon == CONFIG.horizon


def test_an_unknown_head_is_named() -> None:
    with pytest.raises(UnknownNameError, match="regression"):
        with_another_head(a_policy(), "regresion", settings())
