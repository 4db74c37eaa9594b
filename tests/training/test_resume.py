"""A training run that was interrupted gives what it would have given."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from training_runs import LINES, die, killed, killed_after, log, losses, same_weights, weights

from tinyvla_gym.errors import ConfigError
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training import state
from tinyvla_gym.training.loop import train


@pytest.mark.parametrize("changes", [{}, {"lora_rank": 2}], ids=["whole", "lora"])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    changes, reach_frames, reach_spec, settings, tmp_path
) -> None:
    """Killed between two states: the steps after the older one are done again."""
    given = (reach_frames, reach_spec, replace(settings, **changes))
    train(*given, tmp_path / "whole")

    killed_after(10, *given, tmp_path / "broken")
    assert [int(row["step"]) for row in log(tmp_path / "broken")] == LINES[:-1]
    assert not (tmp_path / "broken" / "checkpoint").exists()
    train(*given, tmp_path / "broken", resume=True)

    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    assert same_weights(tmp_path / "broken", tmp_path / "whole")


def test_two_processes_can_be_killed_and_go_on(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    given = (reach_frames, reach_spec, replace(settings, processes=2))
    train(*given, tmp_path / "whole")

    def work():
        train(*given, tmp_path / "broken", on_progress=lambda p: p.step == 10 and die())

    torch.set_num_threads(1)
    killed(work)
    train(*given, tmp_path / "broken", resume=True)

    assert losses(tmp_path / "broken") == losses(tmp_path / "whole")
    assert same_weights(tmp_path / "broken", tmp_path / "whole")


def test_a_run_that_is_killed_while_it_saves_goes_on_from_the_state_before(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    def work():
        done = []

        def save_half(tensors, path, metadata):
            done.append(path)
            if len(done) < 2:
                save_file(tensors, path, metadata=metadata)
            else:
                path.write_bytes(b"half a state")
                die()

        state.save_file = save_half
        train(reach_frames, reach_spec, settings, tmp_path / "run")

    torch.set_num_threads(1)
    killed(work)
    train(reach_frames, reach_spec, settings, tmp_path / "run", resume=True)

    assert losses(tmp_path / "run") == losses(finished)
    assert same_weights(tmp_path / "run", finished)


def test_a_run_that_is_killed_before_its_first_state_begins_again(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    killed_after(2, reach_frames, reach_spec, settings, tmp_path / "run")

    train(reach_frames, reach_spec, settings, tmp_path / "run", resume=True)

    assert losses(tmp_path / "run") == losses(finished)


def test_a_run_can_be_killed_twice(finished, reach_frames, reach_spec, settings, tmp_path) -> None:
    given = (reach_frames, reach_spec, settings, tmp_path / "run")
    killed_after(6, *given)
    killed_after(10, *given, resume=True)

    train(*given, resume=True)

    assert losses(tmp_path / "run") == losses(finished)


def test_a_line_that_was_cut_short_is_written_again(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    run = tmp_path / "run"
    killed_after(6, reach_frames, reach_spec, settings, run)
    with (run / "log.csv").open("a") as file:
        file.write("8,0.5")

    train(reach_frames, reach_spec, settings, run, resume=True)

    assert losses(run) == losses(finished)


def test_a_finished_run_may_be_resumed_and_stays_as_it_is(
    reach_frames, reach_spec, settings, tmp_path
) -> None:
    run = tmp_path / "run"
    train(reach_frames, reach_spec, settings, run)
    before, rows = weights(run), log(run)

    train(reach_frames, reach_spec, settings, run, resume=True)

    after = weights(run)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert log(run) == rows


def test_a_run_that_was_never_begun_may_be_resumed(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    train(reach_frames, reach_spec, settings, tmp_path / "run", resume=True)

    assert losses(tmp_path / "run") == losses(finished)


@pytest.mark.parametrize(
    "changes", [{"batch_size": 9}, {"seed": 3, "learning_rate": 1e-4}, {"steps": 24}]
)
def test_a_run_does_not_go_on_with_other_settings(
    changes, finished, reach_frames, reach_spec, settings
) -> None:
    with pytest.raises(ConfigError, match=f"other settings: {', '.join(sorted(changes))}"):
        train(reach_frames, reach_spec, replace(settings, **changes), finished, resume=True)


KNOWN = {"data": {"fingerprint": "a"}, "start_weights": "a"}


@pytest.mark.parametrize("changed", [{"data": {"fingerprint": "b"}}, {"start_weights": "b"}])
def test_a_run_does_not_go_on_with_other_data_or_from_other_weights(
    changed, reach_frames, reach_spec, settings, tmp_path
) -> None:
    given = (reach_frames, reach_spec, settings, tmp_path / "run")
    train(*given, facts={**KNOWN, "start": "./a", "versions": 1})

    with pytest.raises(ConfigError, match=rf"other settings: {next(iter(changed))}\.$"):
        train(*given, facts={**KNOWN, **changed}, resume=True)
    train(*given, facts={**KNOWN, "start": "./moved", "versions": 2}, resume=True)


def test_data_is_known_again_without_a_word_about_it(
    finished, reach_frames, reach_spec, settings
) -> None:
    other = replace(reach_frames, fingerprint="another")

    with pytest.raises(ConfigError, match=r"other settings: data\.$"):
        train(other, reach_spec, settings, finished, resume=True)


def test_a_start_is_known_again_without_a_word_about_it(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    given = (reach_frames, reach_spec, settings, tmp_path / "run")
    start = TinyVLAPolicy.from_pretrained(finished / "checkpoint")
    train(*given, start=start)
    train(*given, start=TinyVLAPolicy.from_pretrained(finished / "checkpoint"), resume=True)

    with torch.no_grad():
        start.model.norm.weight.add_(0.01)
    for other in (start, None):
        with pytest.raises(ConfigError, match=r"other settings: start_weights\.$"):
            train(*given, start=other, resume=True)


def test_a_run_of_before_there_were_digests_goes_on(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    old = {**settings.to_dict(), "start": None}
    (run / "train.json").write_text(json.dumps(old))

    train(reach_frames, reach_spec, settings, run, resume=True)

    assert losses(run) == losses(finished)


def test_a_try_that_was_impossible_does_not_block_the_folder(
    finished, reach_frames, reach_spec, settings, tmp_path
) -> None:
    run = tmp_path / "run"
    with pytest.raises(ConfigError, match="half=True is for GPUs"):
        train(reach_frames, reach_spec, replace(settings, half=True), run)

    train(reach_frames, reach_spec, settings, run)

    assert losses(run) == losses(finished)
