"""A database of every release: today's code reads it, upgraded where need be."""

import shutil
from pathlib import Path

import pytest

from loop.store.engine import open_storage
from loop.store.schema import upgrade
from tests.fakes import MemoryStorage
from tests.loop.store.contents import contents
from tests.store_files.make import FOLDER, fill

RELEASES = sorted(FOLDER.glob("*.db"))


def test_there_is_a_file_of_the_first_release():
    assert [path.name for path in RELEASES][:1] == ["0.1.0.db"]


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_what_a_release_wrote_is_read(release: Path, tmp_path):
    copy = shutil.copy(release, tmp_path / "pertloop.db")
    expected = MemoryStorage()
    fill(expected)

    upgrade(f"sqlite:///{copy}")
    storage = open_storage(f"sqlite:///{copy}")

    assert contents(storage) == contents(expected)
    storage.close()
