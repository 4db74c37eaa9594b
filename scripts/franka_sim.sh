#!/usr/bin/env bash
# Installs franka-sim, the emulated Franka arm that makes reflexes, into .venv-peers/franka-sim:
# its NumPy and MuJoCo are older than ours. tests/robots/drivers/test_franka_reflex.py uses it.
# Usage: scripts/franka_sim.sh [PYTHON]
set -euo pipefail

peer=.venv-peers/franka-sim
"${1:-python3}" -m venv "$peer"
"$peer/bin/python" -m pip install --quiet franka-sim==1.1.7
"$peer/bin/python" -c "import franka_sim"
echo "franka-sim is in $peer."
