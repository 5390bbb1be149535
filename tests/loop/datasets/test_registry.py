import re
import shutil
import subprocess
from pathlib import Path

import pytest

from loop.datasets import named, registry
from loop.domain.errors import DatasetNotFoundError


def test_names_and_files_are_distinct():
    assert len({each.name for each in registry()}) == len(registry()) >= 4
    assert len({each.file for each in registry()}) == len(registry())


@pytest.mark.parametrize("dataset", registry(), ids=lambda each: each.name)
def test_an_entry_is_complete_and_its_address_cannot_change(dataset):
    assert re.fullmatch(r"https://[^ ]+/[0-9a-f]{40}/[^ ]+", dataset.address)
    assert re.fullmatch(r"[0-9a-f]{64}", dataset.sha256)
    assert dataset.bytes > 0
    assert re.fullmatch(r"[a-z0-9]+\.csv", dataset.file)
    assert dataset.what
    assert dataset.licence
    assert re.search(r"(19|20)\d\d", dataset.citation)


@pytest.mark.parametrize("dataset", registry(), ids=lambda each: each.name)
def test_the_replay_command_names_the_file_quoted(dataset):
    command = dataset.replay_command(Path("/my home") / dataset.file)

    assert f"'/my home/{dataset.file}'" in command
    assert "pertloop replay" in command
    assert "{path}" not in command


def test_the_command_for_the_pair_screen_splits_its_pairs(tmp_path):
    source = tmp_path / "horlbeck2018.csv"
    source.write_text(
        "Gene_pairs,Score\n\"('AARS2', 'HLA-A')\",0.36\n\"('AATF', 'negative')\",-1\n"
    )
    command = named("horlbeck2018").replay_command(source).partition(" && ")[0]

    subprocess.run([shutil.which("sh"), "-c", command], cwd=tmp_path, check=True)

    split = (tmp_path / "horlbeck2018_pairs.csv").read_text()
    assert split == "gene_a,gene_b,Score\nAARS2,HLA-A,0.36\nAATF,negative,-1\n"


def test_an_unknown_name_lists_what_is_registered():
    with pytest.raises(DatasetNotFoundError, match="Registered are horlbeck2018, ifng"):
        named("zzz")
