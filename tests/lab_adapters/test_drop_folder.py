import errno
import os
import signal
import subprocess
import sys
from collections.abc import Mapping

import pytest

from lab_adapters.drop_folder import DropFolder
from loop.domain.errors import InvalidError, LabUnreachableError, StorageFullError

FILES = {"plate_map.csv": b"dispatch_key,well\nk1,A1\n", "more.csv": b"x\n"}


class Failing(Mapping):
    """Files of which the second cannot be had."""

    def __init__(self, fail):
        self.fail = fail

    def __getitem__(self, name):
        if name != "plate_map.csv":
            self.fail()
        return FILES[name]

    def __iter__(self):
        return iter(FILES)

    def __len__(self):
        return len(FILES)


def raises(number):
    def fail():
        raise OSError(number, os.strerror(number))

    return Failing(fail)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_nothing_behind(tmp_path, number):
    with pytest.raises(StorageFullError, match="nothing was written"):
        DropFolder(tmp_path).submit("k1", "b1", raises(number))

    assert list(tmp_path.iterdir()) == []


def test_any_other_failure_of_the_disk_is_told_and_leaves_nothing_behind(tmp_path):
    with pytest.raises(LabUnreachableError, match="Input/output error"):
        DropFolder(tmp_path).submit("k1", "b1", raises(errno.EIO))

    assert list(tmp_path.iterdir()) == []


def test_a_job_that_another_process_hands_over_meanwhile_is_adopted(tmp_path):
    folder = DropFolder(tmp_path)

    reference = folder.submit("k1", "b1", Failing(lambda: folder.submit("k1", "b1", FILES)))

    assert reference == "b1"
    assert [path.name for path in tmp_path.iterdir()] == ["b1"]


def test_a_writer_killed_midway_leaves_no_job_and_its_remnant_goes_with_the_next(tmp_path):
    program = (
        "import os, signal, sys, pathlib\n"
        "from tests.lab_adapters.test_drop_folder import Failing, DropFolder\n"
        "folder = DropFolder(pathlib.Path(sys.argv[1]))\n"
        "folder.submit('k1', 'b1', Failing(lambda: os.kill(os.getpid(), signal.SIGKILL)))\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    folder = DropFolder(tmp_path)

    assert killed.returncode == -signal.SIGKILL
    assert folder.find("k1") is None
    assert [path.name.startswith(".b1.") for path in tmp_path.iterdir()] == [True]
    assert folder.submit("k1", "b1", FILES) == "b1"
    assert [path.name for path in tmp_path.iterdir()] == ["b1"]


def test_a_folder_that_is_no_job_is_passed_over(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "plate_map.csv").write_bytes(b"\xff\xfe\x00garbage")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "plate_map.csv").write_bytes(b"")
    folder = DropFolder(tmp_path)

    assert folder.find("k1") is None
    assert folder.submit("k1", "b1", FILES) == "b1"


def test_a_file_cannot_leave_its_folder(tmp_path):
    with pytest.raises(InvalidError, match="cannot be a file name"):
        DropFolder(tmp_path / "lab").submit("k1", "b1", {"../escaped.csv": b""})

    assert not (tmp_path / "escaped.csv").exists()


def test_a_file_that_is_gone_is_told(tmp_path):
    folder = DropFolder(tmp_path)
    folder.submit("k1", "b1", FILES)

    with pytest.raises(LabUnreachableError, match="No such file"):
        folder.read("b1", "results.csv")


def test_a_job_that_is_gone_may_be_put_back_or_its_wells_given_up(tmp_path):
    with pytest.raises(LabUnreachableError, match=r"is gone; put it back, or give its wells up"):
        DropFolder(tmp_path).job("b1")
