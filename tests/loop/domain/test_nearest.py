import pytest

from loop.domain.nearest import did_you_mean


@pytest.mark.parametrize(("word", "hint"), [("tp53", "TP53"), ("TP35", "TP53"), ("Brca1", "BRCA1")])
def test_the_nearest_known_word_is_offered_whatever_its_case(word, hint):
    assert did_you_mean(word, ["TP53", "BRCA1"]) == f" Did you mean {hint!r}?"


def test_nothing_is_offered_where_nothing_is_near():
    assert did_you_mean("zzz", ["TP53"]) == ""
    assert did_you_mean("", []) == ""
