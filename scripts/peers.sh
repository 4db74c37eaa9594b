#!/usr/bin/env bash
# Installs the real LeRobot in .venv-peers/lerobot, so that our datasets can be opened with it.
# It is capped at older versions of torch, av and others than ours: hence an environment of its
# own. It comes without its dependencies; its dataset reader needs these and no more.
# Usage: [TORCH_INDEX=URL] scripts/peers.sh [PYTHON]
set -euo pipefail

python=${1:-python3}
peer=.venv-peers/lerobot
lerobot=(lerobot==0.4.4)
torch=(torch==2.10.0 torchvision==0.25.0)
reader=(datasets==4.8.5 huggingface_hub==0.35.3 av==15.1.0 packaging==25.0 accelerate==1.15.0)

"$python" -m venv "$peer"
install=("$peer/bin/python" -m pip install --quiet)
if [ -n "${TORCH_INDEX:-}" ]; then
    "${install[@]}" --no-deps --index-url "$TORCH_INDEX" "${torch[@]}"
fi
echo "Installing ${torch[*]} ${reader[*]}: minutes, and 8 GB with CUDA's libraries."
"${install[@]}" "${torch[@]}" "${reader[@]}"
"${install[@]}" --no-deps "${lerobot[@]}"
"$peer/bin/python" -c "from lerobot.datasets.lerobot_dataset import LeRobotDataset"
echo "${lerobot[*]} is in $peer; its LeRobotDataset can be imported by $peer/bin/python."
