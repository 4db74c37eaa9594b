"""How tests use the command line."""

from dataclasses import dataclass

import pytest

from tinyvla_gym.cli.main import main


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Runs a command in this process; caches go to a folder of the test's own."""
    monkeypatch.setenv("TINYVLA_CACHE", str(tmp_path / "cache"))

    def run(*arguments):
        capsys.readouterr()
        try:
            code = main([str(one) for one in arguments])
        except SystemExit as end:  # tyro's way
            code = end.code
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(cli):
    """Runs a command that a user got wrong; returns the explanation."""

    def run(*arguments):
        answer = cli(*arguments)
        assert answer.code == 1
        assert answer.err.startswith("error: ")
        assert 1 <= len(answer.err.splitlines()) <= 5
        assert "Traceback" not in answer.err
        return answer.err

    return run
