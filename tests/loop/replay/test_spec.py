import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.domain.campaign import PluginChoice
from loop.domain.errors import CampaignFileError
from loop.replay.spec import parse_plugin, plugin_text

WORDS = st.text("abcdefgh-_", min_size=1, max_size=9).filter(lambda word: word not in ("true",))


def test_a_name_alone_has_no_settings():
    assert parse_plugin("auto") == PluginChoice("auto", {})


def test_settings_are_numbers_words_and_truths():
    told = parse_plugin("ensemble:members=8, rate=1e-3,warm=true,by=lot")
    assert told.settings == {"members": 8, "rate": 0.001, "warm": True, "by": "lot"}
    assert isinstance(told.settings["members"], int)


@given(
    WORDS,
    st.dictionaries(
        WORDS,
        st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | WORDS.filter(lambda word: word not in ("false",)),
        max_size=4,
    ),
)
def test_there_and_back_is_where_one_was(name, settings):
    assert parse_plugin(plugin_text(name, settings)) == PluginChoice(name, settings)


@pytest.mark.parametrize(
    "text", ["a:", "a:b", "a:b=", "a:=1", ":b=1", "a:b=1,,c=2", "a:b=1,b=2", "a:b=1,"]
)
def test_what_is_not_of_that_form_is_refused(text):
    with pytest.raises(CampaignFileError, match="write NAME:KEY=VALUE"):
        parse_plugin(text)
