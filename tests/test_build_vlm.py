"""Tests for scripts/build_vlm.py and llava_pythia/talks.py, on coloured squares."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPVisionConfig, CLIPVisionModel, GPTNeoXConfig, GPTNeoXForCausalLM

import tinyvla_gym  # noqa: F401 (registers the ids)
from scripts.build_vlm import Build, grafted, main
from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.demonstrations import Plan, collect
from tinyvla_gym.envs.registration import REACH_ID
from tinyvla_gym.errors import CheckpointError, ConfigError, DatasetError
from tinyvla_gym.policies.tinyvla.config import TinyVLAConfig, build_backbone
from tinyvla_gym.policies.tinyvla.llava_pythia.talks import (
    UNSAID,
    caption,
    conversation,
    read_talks,
)
from tinyvla_gym.policies.tinyvla.pretrained import is_backbone, load_backbone
from tinyvla_gym.policies.tinyvla.prompts import PICTURES
from tinyvla_gym.policies.tinyvla.vocabulary import Bytes
from tinyvla_gym.training.dataset import train_on_dataset
from tinyvla_gym.training.presets import preset

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (40, 50, 230)}
EYES = CLIPVisionConfig(
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    image_size=16,
    patch_size=8,
)
BODY = GPTNeoXConfig(
    vocab_size=260,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=256,
)


def a_body_that_knows_the_words():
    """A language model that can say "red", "green" and "blue", and knows no more."""
    torch.manual_seed(0)
    body = GPTNeoXForCausalLM(BODY)
    optimizer = torch.optim.AdamW(body.parameters(), lr=1e-2)
    rows = [Bytes().encode(f"{colour}\n".ljust(6)) for colour in COLOURS]
    words = torch.tensor(rows)
    for _ in range(60):
        loss = body(input_ids=words, labels=words).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return body


def write_json(path, records):
    path.write_text(json.dumps(records))
    return path


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A tower, a body, 48 pictures with captions, and as many talks, some of them blind."""
    place = tmp_path_factory.mktemp("vlm")
    torch.manual_seed(1)
    CLIPVisionModel(EYES).save_pretrained(place / "eyes")
    a_body_that_knows_the_words().save_pretrained(place / "body")
    (place / "pictures").mkdir()
    rng = np.random.default_rng(0)
    captions, talks = [], []
    for number in range(48):
        colour = list(COLOURS)[number % 3]
        shape = (int(rng.integers(12, 20)), int(rng.integers(12, 20)), 3)
        picture = np.clip(COLOURS[colour] + rng.normal(0, 12, shape), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(place / "pictures" / f"{number}.png")
        seen = {"image": f"{number}.png"}
        asked = {"from": "human", "value": "What is it?\n<image>"}
        captions.append(
            {**seen, "conversations": [asked, {"from": "gpt", "value": colour}], "id": number}
        )
        again = [{"from": "human", "value": "Again?"}, {"from": "gpt", "value": colour}]
        talks.append({**seen, "conversations": [*captions[-1]["conversations"], *again]})
    blind = [{"from": "human", "value": "Say red."}, {"from": "gpt", "value": "red"}]
    talks += [{"conversations": blind}] * 6
    return Build(
        eyes=place / "eyes",
        body=place / "body",
        captions=write_json(place / "captions.json", captions),
        caption_images=place / "pictures",
        talks=write_json(place / "talks.json", talks),
        talk_images=place / "pictures",
        out=place / "out",
        tokenizer="bytes",
        epochs=12,
        batches=(12, 12),
        rates=(1e-2, 3e-3),
    )


@pytest.fixture(scope="module")
def built(toy):
    main(toy)
    return toy.out


def losses(path):
    with path.open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("stage", ["aligned", "instructed"])
def test_each_stage_lowers_the_loss(built, stage) -> None:
    found = losses(built / f"{stage}.csv")

    assert np.mean(found[-8:]) < 0.6 * np.mean(found[:8])


def test_alignment_changes_the_projector_alone_and_instruction_the_rest_too(built, toy) -> None:
    before = grafted(toy)[0].backbone.state_dict()
    aligned = load_backbone(built / "aligned").weights
    instructed = load_backbone(built / "instructed").weights

    def changed(one, other):
        return {name for name in one if not torch.equal(one[name], other[name])}

    assert {name.split(".")[0] for name in changed(before, aligned)} == {"projector"}
    assert {name.split(".")[0] for name in changed(aligned, instructed)} == {
        *("eyes", "projector", "body")
    }


def test_what_comes_out_is_a_backbone_that_sees_colours(built) -> None:
    found = load_backbone(built / "instructed")
    backbone = build_backbone(found.within(TinyVLAConfig()), 2).eval()
    found.load_into(backbone)
    rows = torch.tensor(list(COLOURS.values()), dtype=torch.uint8)
    pictures = rows[:, None, None, :].expand(3, 16, 16, 3)

    with torch.no_grad():
        tokens = backbone([pictures, pictures], backbone.tokenize(["What is it?"] * 3))

    assert is_backbone(built / "instructed")
    assert torch.cdist(tokens.pooled(), tokens.pooled())[0, 1:].min() > 0.1


def test_training_starts_from_what_came_out(built, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "cache"))
    collect([REACH_ID], tmp_path / "data", Plan(episodes=2, horizon=30, linger=2))
    still = {"learning_rate": 0.0, "head_rate": 0.0}
    config = replace(preset("toy-llava"), steps=2, warmup_steps=1, batch_size=4, **still)

    policy = train_on_dataset(
        tmp_path / "data", tmp_path / "run", config, name="toy", start=str(built / "instructed")
    )

    wanted = load_backbone(built / "instructed").weights
    found = policy.model.backbone.state_dict()
    assert all(torch.allclose(found[name], w, atol=1e-3) for name, w in wanted.items())  # float16


def test_what_is_done_is_not_done_again(built, toy, monkeypatch) -> None:
    monkeypatch.setattr("scripts.build_vlm.Lesson", lambda *_: pytest.fail("again"))

    main(toy)


def test_parts_of_a_batch_teach_what_the_whole_teaches(built, toy, tmp_path) -> None:
    short = replace(toy, epochs=1, batches=(24, 24))
    main(replace(short, out=tmp_path / "whole"))
    main(replace(short, out=tmp_path / "parts", parts=4))

    for stage in ("aligned.csv", "instructed.csv"):
        whole, parts = (losses(tmp_path / name / stage) for name in ("whole", "parts"))
        assert parts == pytest.approx(whole, rel=1e-4)


PICTURE = "square.png"


def test_a_caption_follows_its_picture() -> None:
    text = caption(["<image>\nWhat?", " a cat "], PICTURE, Bytes())

    assert text.words == [PICTURES, *Bytes().encode("a cat\n")]
    assert text.said == [UNSAID, *Bytes().encode("a cat\n")]


def test_only_answers_are_learnt() -> None:
    text = conversation(["What?\n<image>", "A cat.", "Sure?", "Yes."], PICTURE, Bytes())

    learnt = [piece for piece in text.said if piece != UNSAID]
    assert learnt == [*Bytes().encode(" A cat."), 0, *Bytes().encode(" Yes."), 0]
    spoken = bytes(piece - 3 for piece in text.words if piece >= 3).decode()
    assert spoken.endswith(" USER: \nWhat? ASSISTANT: A cat.USER: Sure? ASSISTANT: Yes.")
    assert text.words.count(PICTURES) == 1
    assert all(said in (UNSAID, word) for word, said in zip(text.words, text.said, strict=True))


def test_a_text_is_cut_to_the_context() -> None:
    text = caption(["<image>", "a cat"], PICTURE, Bytes()).cut(3)

    assert (len(text.words), len(text.said)) == (3, 3)


DAMAGE = {
    "no list": ("{", "not LLaVA's JSON, or damaged"),
    "no conversations": ('[{"image": "0.png"}]', "'conversations'"),
    "no picture": ('[{"image": "9.png", "conversations": []}]', "record 0 names .*9.png, which"),
    "no answer": ('[{"conversations": [{"value": "Hm?"}]}]', "record 0 has 1 turns"),
    "nothing": ("[]", "has no records"),
}


@pytest.mark.parametrize(("text", "complaint"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_talks_are_named(text, complaint, tmp_path) -> None:
    (tmp_path / "talks.json").write_text(text)

    with pytest.raises(DatasetError, match=rf"talks\.json cannot be used: .*{complaint}"):
        read_talks(tmp_path / "talks.json", tmp_path)


def test_a_caption_without_its_picture_is_named(tmp_path) -> None:
    """It would be learnt as the caption of the vocabulary's first piece."""
    turns = [{"value": "What?"}, {"value": "A cat."}]
    write_json(tmp_path / "captions.json", [{"conversations": turns}])

    assert len(read_talks(tmp_path / "captions.json", tmp_path)) == 1
    with pytest.raises(DatasetError, match=r"record 0 has no 'image'.*or leave the record out"):
        read_talks(tmp_path / "captions.json", tmp_path, seen=True)


def test_blind_talks_teach_no_captions(toy, tmp_path) -> None:
    with pytest.raises(DatasetError, match="has no 'image', and a caption needs one"):
        main(replace(toy, captions=toy.talks, caption_images=toy.talk_images, out=tmp_path))


NUMBERS = {
    "no epoch": ({"epochs": 0}, "--epochs 0 must be 1 or more"),
    "an empty batch": ({"batches": (8, 0)}, "--batches 8 0 must be 1 or more"),
    "no part": ({"parts": 0}, "--parts 0 must be 1 or more"),
    "a rate that unlearns": ({"rates": (1e-3, -1.0)}, "--rates 0.001 -1.0 must be positive"),
    "no rate": ({"rates": (float("nan"), 1e-3)}, "--rates nan 0.001 must be positive"),
    "no such device": ({"device": "abacus"}, "--device abacus is not to be had here.*Choose cpu"),
}


@pytest.mark.parametrize(("changes", "complaint"), NUMBERS.values(), ids=NUMBERS)
def test_numbers_that_teach_nothing_are_refused(changes, complaint, toy, tmp_path) -> None:
    with pytest.raises(ConfigError, match=complaint):
        main(replace(toy, out=tmp_path / "new", **changes))
    assert not (tmp_path / "new").exists()


def test_parts_that_are_not_there_are_named(toy, tmp_path) -> None:
    with pytest.raises(CheckpointError, match="gone"):
        grafted(replace(toy, eyes=tmp_path / "gone"))
