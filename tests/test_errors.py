"""What the messages say: what was wanted, what came, and what to do."""

import inspect
from pathlib import Path

import pytest

from tinyvla_gym import errors

MESSAGES = {
    errors.UnknownNameError("task", "drawer-opne", ["reach", "drawer-open"]): (
        "There is no task 'drawer-opne'. Did you mean 'drawer-open'?\nKnown: drawer-open, reach."
    ),
    errors.UnknownNameError("camera", "zzz", ["top"]): "There is no camera 'zzz'.\nKnown: top.",
    errors.ActionNotFiniteError(["x_m", "y_m"], [0.5, float("nan")]): (
        "The action is not finite, so nothing was moved: x_m=0.5, y_m=nan."
    ),
    errors.EpisodeOverError("Reach"): ("Reach has no running episode: call reset() before step()."),
    errors.InterfaceMismatchError("nano", "Reach", ["control_hz: 80 against 20"]): (
        "nano cannot drive Reach:\n  - control_hz: 80 against 20\n"
        "Make the env with gym.make(id, **policy.spec.env_options), or load another policy."
    ),
    errors.ChunkLengthError(9, 8): (
        "execute=9 does not fit a chunk of 8 actions: choose 1 <= execute <= 8."
    ),
    errors.PolicyLostError("nano", "its server was killed."): (
        "The policy nano is lost: its server was killed. Start it again."
    ),
    errors.WorkerDiedError("worker 1 (process 7)", range(2, 4), -9, ""): (
        "Worker 1 (process 7), with env 2, 3 in it, was killed by signal 9. Was memory short?\n"
        "All workers have been stopped: make a new vector env."
    ),
    errors.WorkerDiedError("worker 0 (process 7)", range(1), 1, "ValueError: no"): (
        "Worker 0 (process 7), with env 0 in it, ended with exit code 1. "
        "The last error in it was ValueError: no\n"
        "All workers have been stopped: make a new vector env."
    ),
    errors.WorkerTimeoutError("worker 0 (process 7)", range(1), 2.5, ""): (
        "Worker 0 (process 7), with env 0 in it, has not answered for 2.5 s.\n"
        "All workers have been stopped: make a new vector env. "
        "If its work takes longer, raise timeout_s."
    ),
    errors.WorkersStoppedError("it was closed"): (
        "This vector env's workers have been stopped because it was closed.\nMake a new vector env."
    ),
    errors.DatasetError(Path("d"), "no info.json"): ("The dataset d cannot be used: no info.json"),
    errors.CheckpointError("c", "no weights"): "The checkpoint c cannot be used: no weights",
    errors.OutputError("o", "it is a file"): "Cannot write to o: it is a file",
    errors.MissingExtraError("rl", "rl"): (
        'rl needs an optional part; run: pip install "tinyvla-gym[rl]"'
    ),
}


@pytest.mark.parametrize(
    ("error", "message"), MESSAGES.items(), ids=lambda value: type(value).__name__
)
def test_the_facts_become_a_sentence(error: errors.TinyVLAError, message: str) -> None:
    assert str(error) == message


BUILT_IN = {
    errors.UnknownNameError: ValueError,
    errors.InstructionError: ValueError,
    errors.ActionNotFiniteError: ValueError,
    errors.EpisodeOverError: RuntimeError,
    errors.LiveEnvError: RuntimeError,
    errors.InterfaceMismatchError: ValueError,
    errors.ChunkLengthError: ValueError,
    errors.PolicyLostError: ConnectionError,
    errors.ConfigError: ValueError,
    errors.WorkerDiedError: RuntimeError,
    errors.WorkerTimeoutError: TimeoutError,
    errors.WorkersStoppedError: RuntimeError,
    errors.DatasetError: ValueError,
    errors.CheckpointError: ValueError,
    errors.OutputError: OSError,
    errors.GraphicsError: RuntimeError,
    errors.MissingExtraError: ImportError,
}


@pytest.mark.parametrize(("error", "built_in"), BUILT_IN.items())
def test_each_error_is_ours_and_of_the_built_in_kind_people_catch(
    error: type[Exception], built_in: type[Exception]
) -> None:
    assert issubclass(error, errors.TinyVLAError)
    assert issubclass(error, built_in)


def test_no_error_class_is_left_out_of_these_tests() -> None:
    ours = {
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TinyVLAError) and kind is not errors.TinyVLAError
    }

    assert ours == set(BUILT_IN)
