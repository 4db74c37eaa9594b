"""Tests for scripts/."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_where_pictures_can_be_drawn_the_check_of_opengl_says_nothing() -> None:
    check = [str(ROOT / "scripts" / "ensure_gl.sh"), sys.executable]

    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
