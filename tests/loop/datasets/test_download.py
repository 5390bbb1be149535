import errno
import hashlib
import os
from dataclasses import replace

import httpx
import pytest

from loop.datasets import Dataset, download, fetch
from loop.domain.errors import DatasetNotFoundError, DownloadError, StorageFullError
from tests.loop.datasets.serving import BODY, serving


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def client():
    with httpx.Client(trust_env=False) as opened:
        yield opened


@pytest.fixture
def screen(server):
    """A screen at a path of the server."""

    def at(path):
        return Dataset(
            name="toy",
            what="a toy",
            address=f"http://127.0.0.1:{server.server_port}/{path}",
            sha256=hashlib.sha256(BODY).hexdigest(),
            bytes=len(BODY),
            file="toy.csv",
            licence="none",
            citation="nobody",
            replay="pertloop replay {path}",
        )

    return at


@pytest.mark.parametrize("path", ["good", "moved"])
def test_a_good_file_arrives_whole(path, screen, client, tmp_path):
    found = download(screen(path), tmp_path / "new" / "folder", client=client)

    assert found == tmp_path / "new" / "folder" / "toy.csv"
    assert found.read_bytes() == BODY
    assert os.listdir(found.parent) == ["toy.csv"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("missing", "answered 404 Not Found"),
        ("broken", "answered 503"),
        ("cut", "could not be downloaded from http.*try again"),
        ("other", "sent other bytes than those registered for 'toy'"),
        ("short", f"sent {len(BODY) - 1} instead of the {len(BODY)} bytes"),
        ("long", f"sent more than the {len(BODY)} bytes"),
    ],
)
def test_a_bad_answer_leaves_nothing_behind_and_the_next_good_one_works(
    path, sentence, screen, client, tmp_path
):
    with pytest.raises(DownloadError, match=sentence) as caught:
        download(screen(path), tmp_path, client=client)

    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []
    assert download(screen("good"), tmp_path, client=client).read_bytes() == BODY


def test_a_server_that_never_answers_is_given_up(screen, tmp_path):
    with (
        httpx.Client(trust_env=False, timeout=0.2) as hasty,
        pytest.raises(DownloadError, match="timed out"),
    ):
        download(screen("silent"), tmp_path, client=hasty)

    assert os.listdir(tmp_path) == []


def test_a_server_that_is_not_there_is_refused_in_a_sentence(screen, client, tmp_path):
    with serving() as gone:
        address = f"http://127.0.0.1:{gone.server_port}/good"

    with pytest.raises(DownloadError, match="could not be downloaded"):
        download(replace(screen("good"), address=address), tmp_path, client=client)

    assert os.listdir(tmp_path) == []


def test_a_file_that_is_there_is_not_downloaded_again(screen, client, server, tmp_path):
    first = download(screen("good"), tmp_path, client=client)
    server.asked.clear()

    again = download(screen("good"), tmp_path, client=client)

    assert again == first
    assert server.asked == []


def test_a_damaged_file_is_replaced_and_kept_until_a_better_one_is_whole(screen, client, tmp_path):
    (tmp_path / "toy.csv").write_bytes(b"Y" + BODY[1:])

    with pytest.raises(DownloadError):
        download(screen("cut"), tmp_path, client=client)

    assert (tmp_path / "toy.csv").read_bytes() == b"Y" + BODY[1:]
    assert download(screen("good"), tmp_path, client=client).read_bytes() == BODY


def test_a_full_disk_is_named_and_leaves_nothing_behind(screen, client, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StorageFullError, match=f"is full; 'toy' needs {len(BODY)} bytes"):
            download(screen("good"), tmp_path, client=client)

    assert os.listdir(tmp_path) == []
    assert download(screen("good"), tmp_path, client=client).read_bytes() == BODY


def test_a_folder_that_cannot_be_made_is_refused_in_a_sentence(screen, client, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(DownloadError, match="could not be written to"):
        download(screen("good"), tmp_path / "file" / "folder", client=client)


def test_progress_rises_to_one_and_may_cancel(screen, client, tmp_path):
    class CancelledError(Exception):
        pass

    def cancel(share, doing):
        if share > 0.5:
            raise CancelledError

    with pytest.raises(CancelledError):
        download(screen("good"), tmp_path, cancel, client)
    assert os.listdir(tmp_path) == []

    seen = []
    download(screen("good"), tmp_path, lambda share, _: seen.append(share), client)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_fetching_an_unknown_name_says_the_nearest(tmp_path):
    with pytest.raises(DatasetNotFoundError, match="Did you mean 'horlbeck2018'"):
        fetch("horlbek2018", tmp_path)
