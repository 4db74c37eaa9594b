"""Tests for benchmarks/gpu_check.py, on the CPU and on models of a few thousand weights."""

import json

import pytest
import torch
from fakes import INTERFACE
from tiny_models import CONFIG, a_policy

from benchmarks import gpu_check
from benchmarks.gpu_check import Check

CPU = torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch, tmp_path):
    """A machine that believes it has one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "imagined")
    return tmp_path / "found.json"


def test_without_a_gpu_it_says_so_and_fails(capsys, tmp_path) -> None:
    code = gpu_check.main(["--json", str(tmp_path / "found.json")])

    assert code == 1
    assert capsys.readouterr().err == (
        "error: there is no CUDA device here, so nothing was checked.\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("value", "code"), [(3.0, 0), (30.0, 1)])
def test_what_was_found_is_written_and_a_broken_bar_fails(
    gpu, monkeypatch, capsys, value, code
) -> None:
    found = [
        Check(name="memory", value=value, unit="GB", bar=24.0),
        Check(name="time", value=9.0, unit="ms"),
    ]
    monkeypatch.setattr(gpu_check, "checks", lambda device: iter(found))

    assert gpu_check.main(["--json", str(gpu)]) == code

    written = json.loads(gpu.read_text())
    assert written["device"] == "imagined"
    assert [row["holds"] for row in written["checks"]] == [code == 0, True]
    assert ("BROKEN memory" in capsys.readouterr().out) == bool(code)


def test_memory_that_runs_out_is_an_error_and_what_was_found_stays(
    gpu, monkeypatch, capsys
) -> None:
    def run_out(device):
        yield Check(name="time", value=9.0, unit="ms")
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(gpu_check, "checks", run_out)

    assert gpu_check.main(["--json", str(gpu)]) == 1
    assert capsys.readouterr().err == "error: no memory left\n"
    assert len(json.loads(gpu.read_text())["checks"]) == 1


def test_plans_are_compared_and_the_policy_is_left_as_it_was() -> None:
    policy = a_policy()

    exact = gpu_check.apart(policy, CPU, torch.float32)
    rounded = gpu_check.apart(policy, CPU, torch.bfloat16)

    assert exact == 0
    assert 0 < rounded < 0.05
    assert next(policy.model.parameters()).dtype == torch.float32


def test_a_lora_step_moves_the_adapters_and_nothing_that_is_frozen() -> None:
    policy = gpu_check.random_policy(CONFIG, INTERFACE)
    before = {name: weight.clone() for name, weight in policy.model.state_dict().items()}

    loss = gpu_check.lora_step(policy, CPU, rank=2, alpha=4.0)

    assert loss > 0
    after = policy.model.state_dict()
    moved = {name for name in after if "lora_B" in name and after[name].any()}
    assert moved
    frozen = "backbone.see.0.0.weight"
    kept = next(name for name in after if name.endswith("see.0.0.base_layer.weight"))
    torch.testing.assert_close(after[kept], before[frozen], rtol=0, atol=0)


def test_the_time_of_a_plan_is_a_median() -> None:
    assert 0 < gpu_check.plan_ms(a_policy(), CPU, plans=3) < 10_000


def test_peak_memory_is_what_the_allocator_reserved(monkeypatch) -> None:
    calls = []
    for name in ("empty_cache", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda name=name: calls.append(name))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 2_500_000_000)

    assert gpu_check.peak_gb(lambda: calls.append("work")) == 2.5
    assert calls == ["empty_cache", "reset_peak_memory_stats", "work"]


def test_every_check_is_made_of_every_size(monkeypatch) -> None:
    monkeypatch.setattr(gpu_check, "apart", lambda policy, device, kind: 0.0)
    monkeypatch.setattr(gpu_check, "random_policy", lambda config, interface: a_policy())
    monkeypatch.setattr(gpu_check, "plan_ms", lambda policy, device: 8.0)
    monkeypatch.setattr(gpu_check, "peak_gb", lambda work: 25.0)

    found = list(gpu_check.checks(CPU))

    assert [check.name for check in found if not check.holds] == [
        f"{size}: LoRA step, batch 4" for size in gpu_check.SIZES
    ]
    assert found[3].value == 1.0  # 8 ms for 8 actions
    assert len(found) == 2 + 3 * 3
