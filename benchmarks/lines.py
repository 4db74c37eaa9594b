"""The line protocol between the harness and a subject, which runs in a process of its own.

One JSON object per line: ``{"verb": ..., "arguments": {...}}`` to the subject, and back
``{"answer": ...}`` or ``{"error": ...}``. So both sides of a comparison stay warm while their
rounds interleave, each in its own environment. The subject's side needs nothing but Python.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "LP_NUM_THREADS": "1",  # Mesa's software rasteriser
    "MUJOCO_GL": "egl",
}


class SubjectError(RuntimeError):
    """A subject that failed or ended."""


def serve(verbs: Mapping[str, Callable[..., Any]]) -> None:
    """Answers the harness until it closes the pipe; to be called by a subject's program.

    Args:
        verbs: What the subject can do; arguments and answers must be plain enough for JSON.
    """
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what libraries print must not mix with the answers
        for line in sys.stdin:
            request = json.loads(line)
            try:
                reply = {"answer": verbs[request["verb"]](**request["arguments"])}
            except Exception as error:  # told to the harness, which raises it
                traceback.print_exc()
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), file=answers, flush=True)


class Subject:
    """The harness's end: a running program that does what it is asked, on one core."""

    def __init__(
        self, name: str, program: str, *, interpreter: Path | str = sys.executable
    ) -> None:
        """Starts the program.

        Args:
            name: How messages call it.
            program: A module of this package that calls ``serve``.
            interpreter: The Python of the subject's own environment.
        """
        self.name = name
        # What it says on stderr, shown only when something fails.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (close() closes it)
        self._process = subprocess.Popen(
            [str(interpreter), "-m", program],
            cwd=ROOT,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        if hasattr(os, "sched_setaffinity"):  # the same core for all: they take turns
            os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})

    def ask(self, verb: str, **arguments: Any) -> Any:
        """Has the subject do something, and waits for it.

        Raises:
            SubjectError: If it fails or has ended.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018 (both are pipes)
        try:
            stdin.write(json.dumps({"verb": verb, "arguments": arguments}) + "\n")
            stdin.flush()
            line = stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SubjectError(f"{self.name} ended during {verb!r}:\n{self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise SubjectError(f"{self.name}, {verb}: {reply['error']}\n{self._last_words()}")
        return reply["answer"]

    def close(self) -> None:
        """Ends the program."""
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def __enter__(self) -> "Subject":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _last_words(self) -> str:
        self._said.seek(0)
        return "\n".join(self._said.read().splitlines()[-12:])
