"""Tests for training/distilling.py and training/lessons.py."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tinyvla_gym.data.places import ROOT_VARIABLE
from tinyvla_gym.errors import ConfigError, OutputError
from tinyvla_gym.policies.tinyvla.config import build
from tinyvla_gym.policies.tinyvla.heads.one_step import OneStepHead
from tinyvla_gym.policies.tinyvla.policy import TinyVLAPolicy
from tinyvla_gym.training.distilling import check_teacher, distill, distillation, pupil
from tinyvla_gym.training.lessons import open_lessons


@pytest.fixture(autouse=True)
def _cache_of_its_own(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def teacher(finished):
    return TinyVLAPolicy.from_pretrained(finished / "checkpoint")


@pytest.fixture
def short(teacher):
    return replace(
        distillation(teacher, steps=40), batch_size=32, warmup_steps=4, log_every=5, save_every=10
    )


def with_head(policy, head, **options):
    """The policy with another head, of random weights."""
    config = replace(policy.config, head=head, head_options=options)
    model = build(config, policy.spec.interface)
    spec = replace(policy.spec, noise_shape=config.noise_shape(policy.spec.interface))
    return TinyVLAPolicy(model, config, spec, policy.normalizer)


def test_lessons_are_what_the_teacher_plans(teacher, short, reach_frames) -> None:
    lessons = open_lessons(reach_frames, teacher, short, 1)

    some = slice(32, 40)
    condition, noise = (
        torch.from_numpy(np.array(one[some])) for one in (lessons.condition, lessons.noise)
    )
    found = teacher.model.sample(condition, noise)
    np.testing.assert_allclose(lessons.chunk[some], found, atol=1e-5)
    assert lessons.noise.std() == pytest.approx(1, abs=0.05)


def test_lessons_are_made_once_for_each_teacher_and_setting(teacher, short, reach_frames) -> None:
    told: list[int] = []

    def open_it(teacher, looks=1) -> None:
        open_lessons(reach_frames, teacher, short, looks, lambda done, _total: told.append(done))

    open_it(teacher)
    turns = len(told)
    open_it(teacher)
    assert len(told) == turns > 1
    open_it(teacher, looks=2)
    assert len(told) == 3 * turns
    with torch.no_grad():
        next(iter(teacher.model.parameters())).add_(0.1)
    open_it(teacher)
    assert len(told) == 4 * turns


def test_the_student_begins_with_its_teachers_first_step(teacher, short) -> None:
    condition = torch.randn(4, teacher.model.condition_size)
    noise = torch.randn(4, *teacher.spec.noise_shape)

    def jump(teacher):
        head = pupil(teacher, short).head
        return head.chunks(condition, noise) - noise

    diffusion, flow = with_head(teacher, "diffusion"), with_head(teacher, "flow")
    with torch.no_grad():
        level = torch.full((4,), diffusion.model.head.levels[0])
        foretold = diffusion.model.head.denoiser(noise, level, condition)
        velocity = flow.model.head.denoiser(noise, torch.zeros(4), condition)
        torch.testing.assert_close(jump(diffusion), -foretold, atol=1e-5, rtol=0)
        torch.testing.assert_close(jump(flow), velocity, atol=1e-5, rtol=0)


@pytest.mark.parametrize("head", ["diffusion", "flow"])
def test_the_student_comes_to_plan_as_its_teacher_does(
    head, teacher, short, reach_frames, tmp_path
) -> None:
    teacher = with_head(teacher, head)
    losses: list[float] = []

    student = distill(
        reach_frames,
        teacher,
        replace(short, steps=300, ema_decay=0.9),
        tmp_path / "run",
        name="fast",
        on_progress=lambda line: losses.append(line.loss),
    )

    assert isinstance(student.model.head, OneStepHead)
    assert student.spec == replace(teacher.spec, name="fast")
    assert losses[-1] < losses[0] / 2
    lessons = open_lessons(reach_frames, teacher, short, 1)
    condition, noise = (
        torch.from_numpy(np.array(one[:64])) for one in (lessons.condition, lessons.noise)
    )
    apart = student.model.sample(condition, noise) - teacher.model.sample(condition, noise)
    assert float(apart.square().mean()) < 2 * losses[-1]


def test_eyes_and_reader_stay_the_teachers(teacher, short, reach_frames, tmp_path) -> None:
    student = distill(reach_frames, teacher, short, tmp_path / "run", name="fast")

    ours, theirs = student.model.state_dict(), teacher.model.state_dict()
    kept = [name for name in theirs if not name.startswith("head.")]
    assert len(kept) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)


def test_a_resumed_distillation_ends_where_an_undisturbed_one_does(
    teacher, short, reach_frames, tmp_path
) -> None:
    class InterruptionError(Exception):
        pass

    def interrupt(line) -> None:
        if line.step == 25:
            raise InterruptionError

    whole = distill(reach_frames, teacher, short, tmp_path / "whole", name="fast")
    with pytest.raises(InterruptionError):
        distill(reach_frames, teacher, short, tmp_path / "run", name="fast", on_progress=interrupt)
    with pytest.raises(OutputError, match="it holds a run; pass --resume"):
        distill(reach_frames, teacher, short, tmp_path / "run", name="fast")
    other = replace(short, learning_rate=2e-3)
    with pytest.raises(ConfigError, match="other settings: learning_rate"):
        distill(reach_frames, teacher, other, tmp_path / "run", name="fast", resume=True)
    resumed = distill(reach_frames, teacher, short, tmp_path / "run", name="fast", resume=True)

    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_distillation_goes_on_with_its_own_teacher_only(
    teacher, short, reach_frames, tmp_path
) -> None:
    distill(reach_frames, teacher, short, tmp_path / "run", name="fast")
    with torch.no_grad():
        next(iter(teacher.model.parameters())).add_(0.1)  # and is called what it was called

    with pytest.raises(ConfigError, match=r"other settings: lessons\.$"):
        distill(reach_frames, teacher, short, tmp_path / "run", name="fast", resume=True)


def test_nobody_looks_and_many_processes_are_refused(
    teacher, short, reach_frames, tmp_path, monkeypatch
) -> None:
    with pytest.raises(ConfigError, match=r"looks must be at least 1, got 0\."):
        distill(reach_frames, teacher, short, tmp_path / "run", name="fast", looks=0)

    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="one process's work: start it without a launcher"):
        distill(reach_frames, teacher, short, tmp_path / "run", name="fast")
    assert not (tmp_path / "run").exists()


def test_teachers_that_plan_in_one_go_or_draw_on_their_way_are_refused(teacher) -> None:
    with pytest.raises(ConfigError, match="a regression head, which plans in one go already"):
        check_teacher(with_head(teacher, "regression"))
    with pytest.raises(ConfigError, match="samples by DDPMScheduler, which draws noise"):
        check_teacher(with_head(teacher, "diffusion", scheduler="DDPMScheduler"))
