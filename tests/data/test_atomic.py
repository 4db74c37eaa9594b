import pytest

from tinyvla_gym.data.atomic import check_writable, save_json, written_whole
from tinyvla_gym.errors import OutputError


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    path = tmp_path / "deep" / "note.txt"

    with written_whole(path) as partial:
        partial.write_text("done")
        assert not path.exists()

    assert path.read_text() == "done"
    assert list(path.parent.iterdir()) == [path]


def interrupted_write(path):
    with written_whole(path) as partial:
        partial.write_text("half of the n")
        raise KeyboardInterrupt


def test_an_interrupted_write_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")

    with pytest.raises(KeyboardInterrupt):
        interrupted_write(path)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "facts.json"

    with pytest.raises(OutputError, match=f"Cannot write to {path}"):
        save_json(path, {})


def test_a_place_that_can_be_written_to_is_left_as_it_was(tmp_path):
    (tmp_path / "note.txt").write_text("old")

    check_writable(tmp_path / "note.txt")
    check_writable(tmp_path / "new" / "note.txt")

    assert (tmp_path / "note.txt").read_text() == "old"
    assert list((tmp_path / "new").iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_told_beforehand(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"file/note\.txt"):
        check_writable(tmp_path / "file" / "note.txt")
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)
