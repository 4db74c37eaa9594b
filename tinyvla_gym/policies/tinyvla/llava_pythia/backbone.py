"""LLaVA-Pythia as a backbone: the cameras' tokens in the middle of a prompt, read by GPT-NeoX.

    cameras -> tower -> projector --+
                                    v
    USER: <all cameras' tokens> sentence ASSISTANT: -> GPT-NeoX -> features of every token

Shapes: B batch, S side of the picture [px], P tokens per camera, L pieces of the prompt,
T = L - 1 + cameras * P tokens, C features.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPTNeoXConfig, GPTNeoXModel

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.backbone import Seen, Tokens
from tinyvla_gym.policies.tinyvla.llava_pythia.prompt import PromptForm, conversation
from tinyvla_gym.policies.tinyvla.llava_pythia.vision import Eyes, projector
from tinyvla_gym.policies.tinyvla.onednn import use_onednn
from tinyvla_gym.policies.tinyvla.pictures import CLIP_MEAN, CLIP_STD, PicturePath, Pictures
from tinyvla_gym.policies.tinyvla.prompts import PADDING
from tinyvla_gym.policies.tinyvla.trimming import trimmed
from tinyvla_gym.policies.tinyvla.vocabulary import Pieces, Vocabulary, read_vocabulary


class LlavaPythia(nn.Module):
    """The released backbone, in any size; see ``sizes.options``."""

    def __init__(
        self,
        cameras: int,
        *,
        vision: Mapping[str, Any],
        body: Mapping[str, Any],
        layer: int = -2,
        projection: str = "mlp2x_gelu",
        picture_path: PicturePath = "released",
        crop_frac: float = 0.95,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
        prompt: PromptForm = "training",
        pad_id: int = 1,
        pool_padding: bool = False,
        tokenizer: str = "",
    ) -> None:
        """Builds the backbone with random weights.

        Args:
            cameras: Number of cameras.
            vision: The tower's config, see ``Eyes``.
            body: Settings of transformers' ``GPTNeoXConfig``.
            layer: Which of the tower's hidden states is read.
            projection: Kind of projector.
            picture_path: How pictures are prepared, see ``Pictures``.
            crop_frac: Share of a picture that the released path keeps.
            mean: Of each colour, for the tower.
            std: Of each colour, for the tower.
            prompt: Form of the prompt, see ``conversation``.
            pad_id: Embedding that stands in padded places.
            pool_padding: Counts padded places as tokens, as the released code does: then a
                sentence's neighbours in the batch change what it means.
            tokenizer: The vocabulary's file; bytes when empty.

        Raises:
            ConfigError: If the parts do not fit each other, or the cameras not the context.
            CheckpointError: If the vocabulary's file is missing or damaged.
        """
        super().__init__()
        self.eyes = Eyes(vision, layer=layer)
        self.body = GPTNeoXModel(GPTNeoXConfig(**body))
        config = self.body.config
        self.width = int(config.hidden_size)
        self.projector = projector(projection, self.eyes.width, self.width)
        self.pictures = Pictures(
            side=self.eyes.side, path=picture_path, crop_frac=crop_frac, mean=mean, std=std
        )
        vocabulary = read_vocabulary(tokenizer)
        if max(vocabulary.size, pad_id + 1) > config.vocab_size:
            raise ConfigError(
                f"The vocabulary has {vocabulary.size} pieces and pad_id is {pad_id}; the body "
                f"embeds {config.vocab_size}."
            )
        self._prompts = conversation(
            vocabulary, form=prompt, longest=_free_places(cameras, self.eyes.patches, config)
        )
        use_onednn(self)
        self._form = prompt
        self._pad_id = pad_id
        self._pool_padding = pool_padding

    @property
    def vocabulary(self) -> Vocabulary:
        """What splits sentences into pieces."""
        return self._prompts.vocabulary

    def reading(self) -> dict[str, Any]:
        """Says what prompts and pictures an exported graph wants; see ``policies/onnx/reading``."""
        look = {
            "side": self.pictures.side,
            "crop_frac": self.pictures.crop_frac,
            "mean": list(self.pictures.mean),
        }
        return {
            "vocabulary": isinstance(self.vocabulary, Pieces),
            "prompt": self._form,
            "longest": self._prompts.longest,
            "pictures": look if self.pictures.path == "released" else None,
        }

    def tokenize(self, sentences: Sequence[str]) -> Tensor:
        """Turns sentences into prompts, int64, (B, L)."""
        return torch.from_numpy(self._prompts(sentences))

    @property
    def perceiver(self) -> nn.Module:
        """The eyes; see ``Perceiving``."""
        return self.eyes

    def perceive(self, image: Tensor) -> tuple[Tensor, ...]:
        """Maps a camera's pictures, uint8, (B, H, W, 3) to patch features, (B, P, V)."""
        return (self._patches([self.pictures(image)]),)

    def forward(self, images: Sequence[Seen], words: Tensor) -> Tokens:
        """Looks and reads; see ``Backbone``."""
        pictures = [self.pictures(image) for image in images if isinstance(image, Tensor)]
        if pictures:
            return self.understand(pictures, words)
        patches = torch.cat([seen[0] for seen in images])  # (cameras * B, P, V)
        return self._read(self._tokens(patches.to(self.body.dtype), len(images)), words)

    def understand(self, pixels: Sequence[Tensor], words: Tensor) -> Tokens:
        """Reads prepared pictures.

        Args:
            pixels: One per camera, (B, 3, S, S).
            words: What ``tokenize`` gave, (B, L).
        """
        return self._read(self.look(pixels), words)

    def _read(self, tokens: Tensor, words: Tensor) -> Tokens:
        """Reads the cameras' tokens (B, cameras * P, C) in the middle of prompts."""
        embeddings, mask = self._spliced(tokens, words)
        # Keys and values of the conversation's opening are not kept from plan to plan. They are 3
        # to 6 % of the tokens, and what comes behind them could no longer be read with a plain
        # causal mask: the body of `s` took 5 to 11 % longer for one and two cameras on a CPU.
        seen = self.body(
            inputs_embeds=embeddings, attention_mask=_readable(mask), use_cache=False
        ).last_hidden_state
        counts = torch.ones_like(mask) if self._pool_padding else mask
        return Tokens(features=seen.float(), mask=counts)

    def look(self, pixels: Sequence[Tensor]) -> Tensor:
        """Maps each camera's pixels (B, 3, S, S) to their tokens in a row, (B, cameras * P, C)."""
        return self._tokens(self._patches(pixels), len(pixels))

    def _patches(self, pixels: Sequence[Tensor]) -> Tensor:
        return self.eyes(torch.cat(list(pixels)).to(self.body.dtype))  # (cameras * B, P, V)

    def _tokens(self, patches: Tensor, cameras: int) -> Tensor:
        tokens = self.projector(patches).unflatten(0, (cameras, -1))  # (cameras, B, P, C)
        return tokens.transpose(0, 1).flatten(1, 2)  # (B, cameras * P, C)

    def _spliced(self, tokens: Tensor, words: Tensor) -> tuple[Tensor, Tensor]:
        """Puts the cameras' tokens in their place; embeddings (B, T, C) and mask (B, T)."""
        if torch.compiler.is_exporting():  # a graph cannot look into the words to cut them
            counts, place = words != PADDING, self._prompts.place
        else:
            words, counts, place = trimmed(words)
        # Neither the mark nor padding is a piece; the pictures overwrite the former.
        embedded = self.body.embed_in(words.where(words >= 0, self._pad_id))  # (B, L, C)
        seen = counts.new_ones(tokens.shape[:2])
        return (
            torch.cat([embedded[:, :place], tokens, embedded[:, place + 1 :]], dim=1),
            torch.cat([counts[:, :place], seen, counts[:, place + 1 :]], dim=1),
        )


def _readable(mask: Tensor) -> Tensor:
    """Says what each token may read, as transformers asks for it; ``mask`` is (B, T).

    In an exported graph it is said in full, (B, 1, T, T), since transformers looks into a mask.
    """
    if not torch.compiler.is_exporting():
        return mask
    before = torch.ones(mask.shape[1], mask.shape[1], dtype=torch.bool).tril()
    return mask[:, None, None, :] & before


def _free_places(cameras: int, patches: int, config: GPTNeoXConfig) -> int:
    """Pieces of a prompt that the body has places for, the pictures' mark among them."""
    free = int(config.max_position_embeddings) - cameras * patches + 1
    if cameras < 1 or free < 2:
        raise ConfigError(
            f"{cameras} cameras make {cameras * patches} tokens; the body has places for "
            f"{config.max_position_embeddings}, the prompt among them. Use 1 to "
            f"{(int(config.max_position_embeddings) - 1) // patches} cameras."
        )
    return free
