#!/usr/bin/env bash
# Makes sure that pictures can be drawn without a screen, and installs OpenGL where it may.
# Says nothing when all is well.    Usage: scripts/ensure_gl.sh [PYTHON]
set -euo pipefail

python=${1:-.venv/bin/python}
no_opengl=3 # exit status

draw() {
    "$python" -c "
import sys
from tinyvla_gym.envs import graphics
from tinyvla_gym.errors import GraphicsError
try:
    with graphics.drawing():
        pass
except GraphicsError as error:
    print(error, file=sys.stderr)
    sys.exit($no_opengl)"
}

draw && exit
[ $? = $no_opengl ] || exit 1

if ! command -v apt-get >/dev/null; then
    echo "Install Mesa's EGL library with this system's own package manager, then try again." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    exit 1 # the message above has the command for whoever has the password
fi

remedy=$("$python" -c "from tinyvla_gym.envs.graphics import DEBIAN_REMEDY as r; print(r)")
read -ra install <<<"${remedy#sudo }"
echo "Running it now, as I may: apt-get update, then ${install[*]}" >&2
"${as_root[@]}" apt-get update
"${as_root[@]}" DEBIAN_FRONTEND=noninteractive "${install[@]}"
draw
