"""LeRobotDataset v3.0, written and read without lerobot.

A recording is a folder of staged episodes, one shard each; ``finalize`` merges them::

    staging/000000.parquet                         gone once the dataset is final
    meta/tinyvla_gym.json                          our own facts: interface, render profile
    meta/info.json  stats.json  tasks.parquet      info.json is written last
    meta/episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet                numbers, and pictures up to 160 px as PNG
    videos/observation.images.<camera>/chunk-000/file-000.mp4      larger pictures
"""

from tinyvla_gym.data.lerobot.coding import Coding
from tinyvla_gym.data.lerobot.reader import Dataset, Tick
from tinyvla_gym.data.lerobot.writer import DatasetWriter

__all__ = ["Coding", "Dataset", "DatasetWriter", "Tick"]
