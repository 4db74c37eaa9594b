"""A policy whose whole plan, from pictures to actions, is one ONNX graph."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyvla_gym.errors import CheckpointError, MissingExtraError
from tinyvla_gym.interface import ActionChunk, Observation
from tinyvla_gym.policies.checkpoint import GRAPH, WEIGHTS, read_config, weights_digest
from tinyvla_gym.policies.normalize import Normalizer
from tinyvla_gym.policies.onnx.reading import Reading, reading
from tinyvla_gym.policies.policy import PolicySpec

KIND = "tinyvla-onnx"
"""A folder with a graph alone; others hold their weights beside it, for torch too."""
READING = "reading"
"""Under which a graph says what its pictures and words are, as JSON; see ``reading``."""


class OnnxPolicy:
    """Plans what the exported TinyVLA would plan, on one CPU core."""

    def __init__(
        self, session: Any, spec: PolicySpec, normalizer: Normalizer, reading: Reading
    ) -> None:
        """Joins a graph with what it was trained under.

        Args:
            session: An ``onnxruntime.InferenceSession``. It reads one uint8 input
                ``image_<camera>`` per camera, (N, H, W, 3); ``words``, int64, (N, ...);
                ``state``, (N, S); ``noise``, (N, K, A); and answers (N, K, A) in [-1, 1].
            spec: The promises.
            normalizer: The training data's statistics.
            reading: What it makes of pictures and sentences first.
        """
        self._session = session
        self._reads = {entry.name for entry in session.get_inputs()}
        self._spec = spec
        self._normalizer = normalizer
        self._reading = reading
        self._rng = np.random.default_rng()

    @property
    def spec(self) -> PolicySpec:
        """What the policy was trained under."""
        return self._spec

    def reset(self, *, seed: int | None = None) -> None:
        """Seeds the noise of the coming plans; None goes on drawing."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)

    def plan(self, observation: Observation) -> ActionChunk:
        """Plans from one observation; float32, shape (K, A)."""
        return self.plan_batch([observation])[0]

    def plan_batch(
        self, observations: Sequence[Observation], *, noise: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Plans for N envs at once; see ``Policy``."""
        interface = self._spec.interface
        shape = (len(observations), self._spec.horizon, len(interface.action))
        if noise is None:
            noise = self._rng.standard_normal(shape, np.float32)
        feeds: dict[str, NDArray[Any]] = {
            f"image_{camera.name}": self._reading.pictures(
                np.stack([seen[f"image_{camera.name}"] for seen in observations])
            )
            for camera in interface.cameras
        }
        feeds["words"] = self._reading.words([str(seen["instruction"]) for seen in observations])
        feeds["state"] = self._normalizer.state(np.stack([seen["state"] for seen in observations]))
        feeds["noise"] = np.asarray(noise, np.float32)
        # A head whose plans do not vary has no use for noise, and its graph no input.
        feeds = {name: array for name, array in feeds.items() if name in self._reads}
        (normal,) = self._session.run(None, feeds)
        space = interface.action_space()
        return np.clip(self._normalizer.to_physical(normal), space.low, space.high)

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> "OnnxPolicy":
        """Reads a checkpoint that has a graph, as ``tinyvla-gym convert --to onnx`` writes it.

        Raises:
            CheckpointError: If a file is missing, cut short, or does not fit the others.
        """
        folder = Path(folder)
        written = read_config(folder)
        try:
            spec = PolicySpec.from_dict(written["spec"])
            normalizer = Normalizer.from_dict(
                written["normalizer"],
                state_names=spec.interface.state,
                action_names=spec.interface.action,
            )
        except KeyError as error:
            raise CheckpointError(folder, f"config.json has no {error}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise CheckpointError(folder, f"config.json does not fit: {error}") from error
        session = _open(folder, written.get("kind"))
        said = session.get_modelmeta().custom_metadata_map.get(READING)
        how = reading(folder, None if said is None else json.loads(said))
        return cls(session, spec, normalizer, how)


def _open(folder: Path, kind: str | None) -> Any:
    """The graph, on one thread; workers share the cores between them."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("An exported policy", "tinyvla") from error
    if not (folder / GRAPH).is_file():
        raise CheckpointError(folder, f"it has no {GRAPH}.{_remedy(folder)}")
    if not (folder / WEIGHTS).is_file() and kind != KIND:
        raise CheckpointError(folder, f"it has no {WEIGHTS}.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(
            str(folder / GRAPH), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # the runtime's own kinds are hidden from Python
        files = GRAPH if kind == KIND else f"{GRAPH} or {WEIGHTS}"
        raise CheckpointError(folder, f"{files} is damaged or cut short: {error}") from error
    made_for = session.get_modelmeta().custom_metadata_map.get(WEIGHTS)
    if made_for is not None and made_for != weights_digest(folder):
        raise CheckpointError(
            folder,
            f"{GRAPH} was made for other weights than {WEIGHTS} holds.{_remedy(folder)}",
        )
    return session


def _remedy(folder: Path) -> str:
    return f"\nWhere torch is: tinyvla-gym convert {folder} --to onnx --out NEW"
