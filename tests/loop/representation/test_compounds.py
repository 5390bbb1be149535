import numpy as np
import pytest

from loop.domain.errors import UnreadableFileError
from loop.representation.compounds import read_compounds

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"


def test_fingerprints_and_descriptors_do_not_depend_on_how_a_structure_is_written():
    read = read_compounds({"a": ASPIRIN, "b": "OC(=O)c1ccccc1OC(C)=O", "c": "CCO"})

    morgan, descriptors = read.views
    assert (morgan.name, morgan.width) == ("morgan", 2048)
    np.testing.assert_array_equal(morgan.vectors[0], morgan.vectors[1])
    np.testing.assert_allclose(descriptors.vectors[0], descriptors.vectors[1])
    assert (morgan.vectors[0] != morgan.vectors[2]).sum() > 10
    assert set(np.unique(morgan.vectors)) == {0.0, 1.0}
    # 180.16 Da, against 350 +- 120 among drugs.
    assert descriptors.vectors[0, 0] == pytest.approx((180.16 - 350) / 120, abs=1e-3)


def test_a_structure_that_cannot_be_read_is_told_and_unknown(capfd):
    read = read_compounds({"good": "CCO", "blank": "", "bad": "C(C(", "empty": " "})

    for view in read.views:
        assert view.known.tolist() == [True, False, False, False]
        assert not view.vectors[1:].any()
    told = " ".join(read.notes)
    assert "'bad'" in told
    assert "C(C(" in told
    assert "'blank'" not in told
    assert capfd.readouterr().err == ""


def test_structures_of_which_none_can_be_read_are_refused():
    with pytest.raises(UnreadableFileError, match="None of 2 SMILES"):
        read_compounds({"a": "nonsense", "b": ""})
