import base64
import io
import json
import re

import numpy as np
import pytest
from in_chromium import CHROMIUM, LAPTOP_PX, PHONE_PX, seen
from PIL import Image

from tinyvla_gym.data.lerobot import Dataset
from tinyvla_gym.data.page.page import spread_out, write_page
from tinyvla_gym.errors import ConfigError


def facts_of(page):
    text = page.read_text()
    return json.loads(re.search(r'id="data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])


def test_a_page_holds_every_picture_and_number(record, tmp_path):
    dataset = Dataset(record("data", range(3)))

    write_page(dataset, [0, 2], tmp_path / "page.html")

    facts = facts_of(tmp_path / "page.html")
    assert [one["index"] for one in facts["episodes"]] == [0, 2]
    shown, episode = facts["episodes"][1], dataset.episode(2)
    np.testing.assert_allclose(np.transpose(shown["action"]), episode.action, rtol=1e-4)
    assert (shown["sentence"], shown["solved"]) == ("open the drawer", len(episode) - 1)
    camera = shown["cameras"]["near"]
    packed = base64.b64decode(camera["sheets"][0].partition(",")[2])
    sheet = np.asarray(Image.open(io.BytesIO(packed)))
    third = sheet[: camera["height"], 2 * camera["width"] : 3 * camera["width"]]
    assert np.abs(third.astype(int) - episode.images["near"][2]).mean() < 4


def test_a_page_needs_no_network(dataset_folder, tmp_path):
    write_page(Dataset(dataset_folder), [0], tmp_path / "page.html")

    text = (tmp_path / "page.html").read_text()
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|https?://""", text.split("<script")[0])
    assert "fetch(" not in text


def test_a_sentence_cannot_break_out_of_the_page(start_writer, make_episode, tmp_path):
    with start_writer() as writer:
        writer.add(make_episode(0, instruction="</script><b>open"))

    write_page(Dataset(writer.folder), [0], tmp_path / "page.html")

    assert facts_of(tmp_path / "page.html")["episodes"][0]["sentence"] == "</script><b>open"


def test_episodes_are_chosen_of_every_task(record):
    dataset = Dataset(record("data", [0, 2, 4, 6, 1]))

    assert spread_out(dataset, 2) == [0, 4]
    assert spread_out(dataset, 99) == [0, 1, 2, 3, 4]


def test_an_episode_that_does_not_exist_is_refused(dataset_folder, tmp_path):
    with pytest.raises(ConfigError, match="0 to 2, and no 3"):
        write_page(Dataset(dataset_folder), [3], tmp_path / "page.html")


@pytest.mark.slow  # starts a browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is missing: apt install chromium")
@pytest.mark.parametrize("width", [PHONE_PX, LAPTOP_PX])
def test_a_browser_shows_it_without_network_and_without_scrolling_sideways(
    dataset_folder, tmp_path, width
):
    write_page(Dataset(dataset_folder), [0, 2], tmp_path / "page.html")

    shown = seen(tmp_path / "page.html", tmp_path, width=width)

    assert (shown["problems"], shown["asked"]) == ([], [])
    assert shown["width"] <= width
