"""Content-addressed files: whole or not at all, and refused when damaged."""

import errno
import os
import resource
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from loop.domain.errors import (
    InvalidError,
    SnapshotNotFoundError,
    StorageFullError,
    UnavailableError,
    UnreadableFileError,
)
from loop.ports.arrays import SurrogateState
from loop.store.files import InputFiles, SnapshotFiles

names = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__")
dtypes = st.sampled_from(["float64", "float32", "int64", "uint64", "bool", "uint8"])
states = st.builds(
    SurrogateState,
    st.dictionaries(
        names.filter(str.isascii),
        dtypes.flatmap(
            lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))
        ),
        max_size=4,
    ),
    st.dictionaries(
        st.text(max_size=5), st.integers() | st.floats(allow_nan=False) | st.text() | st.booleans()
    ),
)


def a_state() -> SurrogateState:
    return SurrogateState(
        {"weights": np.arange(6.0).reshape(2, 3), "seen": np.array([2**64 - 1], np.uint64)},
        {"members": 16, "names": ["a", "b"]},
    )


@contextmanager
def no_more_than(size: int):
    """The kernel refuses to let any file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@given(state=states)
@settings(max_examples=60, deadline=None)
def test_a_state_comes_back_bit_by_bit(state, tmp_path_factory):
    files = SnapshotFiles(tmp_path_factory.mktemp("states"))

    found = files.load(files.save(state))

    assert found.settings == state.settings
    assert found.arrays.keys() == state.arrays.keys()
    for name, array in state.arrays.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].shape == array.shape
        assert found.arrays[name].tobytes() == array.tobytes()


def test_equal_states_give_one_id_and_one_file(tmp_path):
    files = SnapshotFiles(tmp_path / "snapshots")
    state = a_state()
    turned = SurrogateState(
        dict(reversed(state.arrays.items())), dict(reversed(state.settings.items()))
    )

    assert files.save(state) == files.save(turned)
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_arrays_that_lie_across_memory_come_back_as_they_read(tmp_path):
    across = np.arange(6.0).reshape(2, 3).T[::2]
    files = SnapshotFiles(tmp_path)

    found = files.load(files.save(SurrogateState({"across": across}, {})))

    assert np.array_equal(found.arrays["across"], across)


def test_what_was_loaded_may_be_changed_without_harm(tmp_path):
    files = SnapshotFiles(tmp_path)
    state_id = files.save(a_state())

    files.load(state_id).arrays["weights"][:] = 0

    assert files.load(state_id).arrays["weights"].sum() == 15


@pytest.mark.parametrize("wrong", ["0" * 64, "abc", "", "../../etc/passwd", "A" * 64])
def test_a_state_that_is_not_there_is_refused(tmp_path, wrong):
    with pytest.raises(SnapshotNotFoundError):
        SnapshotFiles(tmp_path).load(wrong)


def test_a_damaged_state_is_refused_and_saving_it_again_mends_it(tmp_path):
    files = SnapshotFiles(tmp_path)
    state_id = files.save(a_state())
    content = bytearray(files.path(state_id).read_bytes())
    content[-1] ^= 1
    files.path(state_id).write_bytes(content)

    with pytest.raises(SnapshotNotFoundError, match="damaged"):
        files.load(state_id)

    assert files.save(a_state()) == state_id
    files.load(state_id)


@pytest.mark.parametrize(
    "state",
    [
        SurrogateState({"names": np.array(["a"])}, {}),
        SurrogateState({"objects": np.array([None])}, {}),
        SurrogateState({}, {"function": print}),
    ],
)
def test_what_cannot_be_stored_is_refused_with_nothing_left(tmp_path, state):
    with pytest.raises(InvalidError, match="cannot be stored"):
        SnapshotFiles(tmp_path).save(state)
    assert list(tmp_path.iterdir()) == []


def test_when_the_disk_is_full_no_snapshot_is_left_behind(tmp_path):
    files = SnapshotFiles(tmp_path)
    before = files.save(a_state())
    large = SurrogateState({"weights": np.zeros(100_000)}, {})

    with no_more_than(10_000), pytest.raises(StorageFullError, match="nothing was written"):
        files.save(large)

    assert [path.stem for path in tmp_path.iterdir()] == [before]
    files.load(files.save(large))


def test_when_the_device_has_no_space_no_snapshot_is_left_behind(tmp_path, monkeypatch):
    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(StorageFullError):
        SnapshotFiles(tmp_path).save(a_state())
    with pytest.raises(StorageFullError):
        InputFiles(tmp_path).save({"genes.csv": b"id"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(UnavailableError, match="cannot be used"):
        SnapshotFiles(tmp_path / "file" / "snapshots").save(a_state())


file_names = st.text("abcµ .-_", min_size=1, max_size=8).filter(
    lambda name: not name.startswith(".")
)


@given(files=st.dictionaries(file_names, st.binary(max_size=50), max_size=3))
@settings(max_examples=30, deadline=None)
def test_input_files_come_back(files, tmp_path_factory):
    store = InputFiles(tmp_path_factory.mktemp("inputs"))

    assert store.load(store.save(files)) == files


def test_the_same_input_files_are_kept_once_and_others_apart(tmp_path):
    store = InputFiles(tmp_path)

    one = store.save({"a.csv": b"xy", "b.csv": b""})
    assert store.save({"b.csv": b"", "a.csv": b"xy"}) == one
    others = [
        store.save({"a.csv": b"x", "b.csv": b"y"}),
        store.save({"a.csv": b"xy"}),
        store.save({"a.csvxy": b"", "b.csv": b""}),
        store.save({}),
    ]

    assert len({one, *others}) == 5
    assert {path.name for path in tmp_path.iterdir()} == {one, *others}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd", ".hidden", "a\x00"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    with pytest.raises(InvalidError, match="plain name"):
        InputFiles(tmp_path / "inputs").save({name: b""})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", ["0" * 64, "", "..", "."])
def test_input_files_that_are_gone_are_refused(tmp_path, wrong):
    with pytest.raises(UnreadableFileError, match="gone"):
        InputFiles(tmp_path).load(wrong)


def test_damaged_input_files_are_refused_and_saving_them_again_mends_them(tmp_path):
    store = InputFiles(tmp_path)
    input_id = store.save({"a.csv": b"a", "b.csv": b"b"})
    (tmp_path / input_id / "a.csv").write_bytes(b"c")

    with pytest.raises(UnreadableFileError, match="damaged"):
        store.load(input_id)

    assert store.save({"a.csv": b"a", "b.csv": b"b"}) == input_id
    assert store.load(input_id) == {"a.csv": b"a", "b.csv": b"b"}
    assert len(list(tmp_path.iterdir())) == 1


def test_when_the_disk_is_full_no_input_file_is_left_behind(tmp_path):
    with no_more_than(1_000), pytest.raises(StorageFullError):
        InputFiles(tmp_path).save({"a.csv": b"small", "b.csv": b"x" * 5_000})
    assert list(tmp_path.iterdir()) == []
