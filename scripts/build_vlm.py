r"""Builds a LLaVA-Pythia out of a vision tower and a language model, in LLaVA's two stages.

    python scripts/build_vlm.py --eyes clip-vit-large-patch14-336 --body pythia-70m \
        --captions blip_laion_cc_sbu_558k.json --caption-images pictures/captions \
        --talks llava_v1_5_mix665k.json --talk-images pictures/talks --out runs/vlm
    tinyvla-gym train --data runs/mt10 --start runs/vlm/instructed --preset s --out runs/s

First the projector alone learns to make captions of pictures (``OUT/aligned``), then everything
learns to answer (``OUT/instructed``); both are backbones that training starts from. Data is LLaVA's
JSON: a list of ``{"image": FILE, "conversations": [{"from": "human", "value": "<image>\nWhat?"},
{"from": "gpt", "value": "That."}, ...]}``, of which the second stage may lack the picture. A stage
that is finished is not done again.

Shapes: B batch, L pieces of the longest text, P patches of a picture, S its side [px], C features.
"""

import csv
import json
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import CLIPVisionModel, GPTNeoXForCausalLM

from tinyvla_gym.cli.progress import Show, progress
from tinyvla_gym.errors import CheckpointError, ConfigError, TinyVLAError
from tinyvla_gym.policies.tinyvla.llava_pythia.backbone import LlavaPythia
from tinyvla_gym.policies.tinyvla.llava_pythia.talks import (
    UNSAID,
    Text,
    caption,
    conversation,
    read_talks,
)
from tinyvla_gym.policies.tinyvla.pictures import Pictures
from tinyvla_gym.policies.tinyvla.pretrained import load_backbone, save_backbone
from tinyvla_gym.policies.tinyvla.prompts import PADDING, PICTURES, padded
from tinyvla_gym.policies.tinyvla.released.settings import BODY, TOWER
from tinyvla_gym.policies.tinyvla.vocabulary import FILE as VOCABULARY


@dataclass(frozen=True, kw_only=True)
class Build:
    """What to build, from what, and how long."""

    eyes: Path
    """A CLIP as transformers saves it."""
    body: Path
    """A GPT-NeoX as transformers saves it, such as Pythia, with its tokenizer.json."""
    captions: Path
    """LLaVA's JSON for the first stage."""
    caption_images: Path
    """The folder that its pictures are named in."""
    talks: Path
    """LLaVA's JSON for the second stage."""
    talk_images: Path
    """The folder that its pictures are named in."""
    out: Path
    """Folder for both stages' backbones and their losses."""
    tokenizer: str | None = None
    """A tokenizer.json from elsewhere, or bytes for a body that has learnt no words."""
    epochs: int = 1
    """How often each stage sees its data."""
    batches: tuple[int, int] = (256, 128)
    """Texts per step of each stage."""
    rates: tuple[float, float] = (1e-3, 2e-5)
    """Peak learning rate of each stage; it climbs for 3 % of the steps and falls along a cosine."""
    parts: int = 1
    """Equal parts into which a batch is cut, one after the other: more parts need less memory."""
    freeze_eyes: bool = False
    """Leave the tower alone in the second stage too."""
    seed: int = 0
    """Seeds the projector and the order."""
    device: str = "cpu"
    """cpu or cuda; the latter computes in bfloat16 where it may."""


class Speaker(nn.Module):
    """A backbone that says what comes next."""

    def __init__(self, backbone: LlavaPythia, head: nn.Linear) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def surprise(self, pixels: Tensor | None, words: Tensor, said: Tensor) -> Tensor:
        """How unexpected what is said is, summed over its pieces.

        Args:
            pixels: Shape (B, 3, S, S); None if the texts have no pictures.
            words: Shape (B, L).
            said: Shape (B, L).
        """
        if pixels is None:
            body = self.backbone.body
            embedded = body.embed_in(words.clamp(min=0))
            seen = body(inputs_embeds=embedded, attention_mask=words != PADDING)
            features = seen.last_hidden_state  # (B, L, C)
        else:
            features = self.backbone.understand([pixels], words).features  # (B, L - 1 + P, C)
            place = int((words[0] == PICTURES).nonzero())
            silent = said.new_full((len(said), features.shape[1] - said.shape[1] + 1), UNSAID)
            said = torch.cat([said[:, :place], silent, said[:, place + 1 :]], dim=1)
        logits = self.head(features[:, :-1]).float().flatten(0, 1)
        return F.cross_entropy(logits, said[:, 1:].flatten(), ignore_index=UNSAID, reduction="sum")


def grafted(build: Build) -> tuple[Speaker, dict[str, Any]]:
    """Puts a fresh projector between tower and body; also returns the backbone's options."""
    try:
        tower = CLIPVisionModel.from_pretrained(build.eyes, local_files_only=True)
        body = GPTNeoXForCausalLM.from_pretrained(build.body, local_files_only=True)
        facts = json.loads((build.body / "config.json").read_text())
    except (OSError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{build.eyes} or {build.body}", f"{str(error).strip().splitlines()[0]}"
        ) from error
    bytes_only = build.tokenizer == "bytes"
    options = {
        "vision": {
            "model_type": "clip_vision_model",
            **{name: getattr(tower.config, name) for name in TOWER},
        },
        "body": {name: facts[name] for name in (*BODY, "rope_parameters") if name in facts},
        "tokenizer": "" if bytes_only else build.tokenizer or str(build.body / VOCABULARY),
    }
    torch.manual_seed(build.seed)
    backbone = LlavaPythia(1, **options)
    backbone.eyes.tower.load_state_dict(tower.state_dict())
    backbone.body.load_state_dict(body.gpt_neox.state_dict())
    head = body.get_output_embeddings()
    assert isinstance(head, nn.Linear)
    return Speaker(backbone, head), options


def shuffled(texts: Sequence[Text], size: int, rng: np.random.Generator) -> Iterator[list[Text]]:
    """One epoch in batches, each with pictures or without."""
    groups = [[t for t in texts if (t.picture is None) == blind] for blind in (True, False)]
    batches = []
    for group in groups:
        order = rng.permutation(len(group))
        batches += [
            [group[i] for i in order[start : start + size]] for start in range(0, len(group), size)
        ]
    for place in rng.permutation(len(batches)):
        yield batches[place]


class Lesson:
    """One stage: what learns, from what, and how fast."""

    def __init__(
        self, speaker: Speaker, texts: Sequence[Text], stage: int, build: Build, show: Show
    ) -> None:
        self._speaker = speaker
        self._texts = texts
        self._build = build
        self._show = show
        self._size, self._rate = build.batches[stage], build.rates[stage]
        backbone = speaker.backbone
        self._device = torch.device(build.device)
        side = backbone.eyes.side
        self._pictures = Pictures(side=side, crop_frac=1.0)  # the whole picture, padded to a square
        speaker.to(self._device).train().requires_grad_(stage == 1)
        backbone.eyes.requires_grad_(stage == 1 and not build.freeze_eyes)
        backbone.projector.requires_grad_(True)

    def learn(self, log: Path, what: str) -> None:
        """Goes through the data; writes a line per step into ``log``."""
        build = self._build
        rng = np.random.default_rng(build.seed)
        steps = build.epochs * sum(1 for _ in shuffled(self._texts, self._size, rng))
        weights = [weight for weight in self._speaker.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(weights, weight_decay=0.0)
        with log.open("w", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(("step", "loss"))
            epochs = (shuffled(self._texts, self._size, rng) for _ in range(build.epochs))
            for step, batch in enumerate(batch for epoch in epochs for batch in epoch):
                optimizer.param_groups[0]["lr"] = self._rate * share(step, steps)
                optimizer.zero_grad(set_to_none=True)
                loss = self._add_gradients(batch)
                nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                lines.writerow((step + 1, loss))
                self._show(what, step + 1, steps, f"loss {loss:.3f}")

    def _add_gradients(self, batch: list[Text]) -> float:
        """The mean surprise of a batch's pieces; its gradient is added up part by part."""
        total = sum(piece != UNSAID for text in batch for piece in text.said)
        size, loss = math.ceil(len(batch) / self._build.parts), 0.0
        on_gpu = self._device.type != "cpu"
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            pixels = self._pixels(part)
            words, said = (
                torch.from_numpy(padded(rows, filler)).to(self._device)
                for rows, filler in (
                    ([text.words for text in part], PADDING),
                    ([text.said for text in part], UNSAID),
                )
            )
            with torch.autocast(self._device.type, torch.bfloat16) if on_gpu else nullcontext():
                surprise = self._speaker.surprise(pixels, words, said) / max(1, total)
            surprise.backward()
            loss += float(surprise.detach())
        return loss

    def _pixels(self, texts: Sequence[Text]) -> Tensor | None:
        """Pictures of any size, each padded to a square and resized, (B, 3, S, S)."""
        files = [text.picture for text in texts if text.picture is not None]
        if not files:
            return None
        opened = [np.array(Image.open(file).convert("RGB")) for file in files]
        return torch.cat([self._pictures(torch.from_numpy(one)[None]) for one in opened]).to(
            self._device
        )


def share(step: int, steps: int) -> float:
    """The share of the peak rate: up for 3 % of the steps, then down along a cosine."""
    warmup = math.ceil(0.03 * steps)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def check(build: Build) -> None:
    """Refuses numbers with which nothing would be learnt.

    Raises:
        ConfigError: It names the option and what it must be.
    """
    for name, numbers in (
        ("epochs", (build.epochs,)),
        ("batches", build.batches),
        ("parts", (build.parts,)),
    ):
        if min(numbers) < 1:
            raise ConfigError(f"--{name} {' '.join(map(str, numbers))} must be 1 or more.")
    if not all(0 < rate < math.inf for rate in build.rates):
        raise ConfigError(f"--rates {' '.join(map(str, build.rates))} must be positive numbers.")
    try:
        torch.zeros(1, device=build.device)
    except (AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"--device {build.device} is not to be had here: {str(error).splitlines()[0]} "
            "Choose cpu, or cuda where there is a GPU."
        ) from error


def main(build: Build) -> None:
    """Does the stages that are not done yet."""
    check(build)
    speaker, options = grafted(build)
    vocabulary, backbone = speaker.backbone.vocabulary, speaker.backbone
    longest = backbone.body.config.max_position_embeddings - backbone.eyes.patches + 1
    build.out.mkdir(parents=True, exist_ok=True)
    stages = (
        ("aligned", build.captions, build.caption_images, caption),
        ("instructed", build.talks, build.talk_images, conversation),
    )
    with progress() as show:
        for stage, (name, data, images, form) in enumerate(stages):
            if (build.out / name).is_dir():
                load_backbone(build.out / name).load_into(backbone)
                continue
            talks = read_talks(data, images, seen=form is caption)
            texts = [form(turns, picture, vocabulary).cut(longest) for turns, picture in talks]
            Lesson(speaker, texts, stage, build, show).learn(build.out / f"{name}.csv", name)
            save_backbone(build.out / name, "llava_pythia", options, backbone.cpu())
    print(f"a backbone to start training from in {build.out / 'instructed'}")


if __name__ == "__main__":
    try:
        main(tyro.cli(Build, description=__doc__))
    except TinyVLAError as error:
        sys.exit(str(error))
