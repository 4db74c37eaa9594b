#!/usr/bin/env bash
# Installs the peers that ours is compared with, each in an environment of its own below
# .venv-peers, because their versions of torch, av, numpy and others are not ours.
# LeRobot: our datasets can be opened with it, and its MetaWorld loop is a peer of the benchmarks.
# It comes without its dependencies; its dataset reader needs these and no more.
# EnvPool: its native MetaWorld is a peer of the benchmarks.
# TinyVLA's released code needs the libraries of its time; the code itself is not installed.
# metaworld itself, with Gymnasium's renderer, is in .venv already.
# Usage: [TORCH_INDEX=URL] scripts/peers.sh [PYTHON]
set -euo pipefail

python=${1:-python3}
envpool=(envpool==1.2.5 gymnasium==1.4.0)
lerobot=(lerobot==0.4.4)
torch=(torch==2.10.0 torchvision==0.25.0)
reader=(datasets==4.8.5 huggingface_hub==0.35.3 av==15.1.0 packaging==25.0 accelerate==1.15.0)
our_torch=(torch==2.13.0)  # the released code wants 2.0; on the same torch the code is compared
released=(
    transformers==4.37.1 tokenizers==0.15.0 diffusers==0.11.1 peft==0.4.0 accelerate==0.21.0
    huggingface_hub==0.23.5 numpy==1.24.4 pillow==10.3.0 einops==0.6.1 scipy==1.11.4
)
simulator=(metaworld==3.0.0 mujoco==3.3.0)  # what LeRobot's MetaWorld env draws with

peer=.venv-peers/envpool
"$python" -m venv "$peer"
"$peer/bin/python" -m pip install --quiet "${envpool[@]}"
"$peer/bin/python" -c "import envpool; envpool.make_spec('MetaWorld/Reach-v3')"
echo "${envpool[*]} is in $peer."

peer=.venv-peers/lerobot
"$python" -m venv "$peer"
install=("$peer/bin/python" -m pip install --quiet)
if [ -n "${TORCH_INDEX:-}" ]; then
    "${install[@]}" --no-deps --index-url "$TORCH_INDEX" "${torch[@]}"
fi
echo "Installing ${torch[*]} ${reader[*]}: minutes, and 8 GB with CUDA's libraries."
"${install[@]}" "${torch[@]}" "${reader[@]}"
"${install[@]}" --no-deps "${lerobot[@]}"
"${install[@]}" "${simulator[@]}"
"$peer/bin/python" -c "from lerobot.datasets.lerobot_dataset import LeRobotDataset"
echo "${lerobot[*]} is in $peer; its LeRobotDataset can be imported by $peer/bin/python."

peer=.venv-peers/released
"$python" -m venv "$peer"
install=("$peer/bin/python" -m pip install --quiet)
if [ -n "${TORCH_INDEX:-}" ]; then
    "${install[@]}" --no-deps --index-url "$TORCH_INDEX" "${our_torch[@]}"
fi
"${install[@]}" "${our_torch[@]}" "${released[@]}"
"$peer/bin/python" -c "from transformers import GPTNeoXModel; import peft, diffusers"
echo "${released[*]} are in $peer, for a clone of TinyVLA's released code."
