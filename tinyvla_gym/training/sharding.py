"""Weights in pieces (FSDP2): each process keeps its share of every tensor, and of its moments.

A transformer's block is gathered when it is used and given back afterwards, so that a process
never holds all weights at a time; what is learnt is what processes with whole copies would learn.
"""

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from tinyvla_gym.training.foresight import Learner


def shard(learner: Learner, size: int, device: torch.device) -> None:
    """Leaves to this process its pieces of a learner's weights, on its device.

    Args:
        learner: The same in every process, and whole; its transformers' blocks are gathered one
            by one, everything else together.
        size: How many processes there are.
        device: This process's.
    """
    mesh = init_device_mesh(device.type, (size,))
    for block in learner.modules():
        if isinstance(block, GradientCheckpointingLayer):
            fully_shard(block, mesh=mesh)
    fully_shard(learner, mesh=mesh)
    register_fsdp_forward_method(learner, "loss")
    for part in learner.modules():
        if isinstance(part, FSDPModule) and device.type == "cpu":
            part.set_force_sum_reduction_for_comms(True)  # gloo cannot average


def whole(tensor: Tensor) -> Tensor:
    """Gathers a tensor's pieces; every process must ask. Others are given back as they are."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def piece(tensor: Tensor, like: Tensor) -> Tensor:
    """Cuts a whole tensor as another is cut; as it is if that one is whole."""
    if not isinstance(like, DTensor):
        return tensor
    there = tensor.to(like.device)
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)


def gathered(module: nn.Module) -> dict[str, Tensor]:
    """A module's whole state, on the CPU; every process must ask."""
    return {name: whole(tensor).cpu() for name, tensor in module.state_dict().items()}
