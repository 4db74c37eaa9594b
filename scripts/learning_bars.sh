#!/usr/bin/env bash
# Trains the backbones with adapters on few tasks and evaluates them beside their controls: adapters
# frozen, and a blank sentence. Interrupted at any time, the same line goes on where it stopped.
# Usage: scripts/learning_bars.sh MT10_DATASET OUT RESULTS
set -euo pipefail

data=${1:-runs/mt10} out=${2:-runs/bars} results=${3:-docs/results/learning}
gym() { "${PYTHON:-.venv/bin/python}" -m tinyvla_gym.cli.main "$@"; }

teach() { # NAME DATASET PRESET STEPS [OPTION]
  [ -e "$out/$1/checkpoint/config.json" ] ||
    gym train --data "$out/$2" --out "$out/$1" --preset "$3" --steps "$4" --name "$1" --resume "${@:5}"
}

score() { # NAME SENTENCES SUITE
  local label="$1-${3#mt1:}-$2"
  gym evaluate --policy "$out/$1/checkpoint" --suite "$3" --episodes 100 --instructions "$2" \
    --no-videos --out "$out/$label" --resume --json "$results/$label.json"
}

mkdir -p "$out" "$results"
# mt10's episodes 200 to 249 open drawers, 450 to 499 close windows.
[ -d "$out/two-tasks" ] || gym data delete "$data" --out "$out/two-tasks" --episodes 0-199 250-449
[ -e "$out/reach/meta/info.json" ] ||
  gym collect reach-toy --episodes 2000 --out "$out/reach" --resume

teach pretrained-nano two-tasks pretrained-nano 1600
score pretrained-nano default mt1:drawer-open
score pretrained-nano default mt1:window-close
teach toy-llava reach toy-llava 12000
score toy-llava default reach
score toy-llava blank reach
score pretrained-nano blank mt1:drawer-open
score pretrained-nano blank mt1:window-close
teach pretrained-nano-frozen two-tasks pretrained-nano 1600 --freeze-adapters
score pretrained-nano-frozen default mt1:drawer-open
score pretrained-nano-frozen default mt1:window-close
teach toy-llava-frozen reach toy-llava 12000 --freeze-adapters
score toy-llava-frozen default reach
