"""A plug-in with its settings as a person types it: `upper-confidence-bound:beta=0.5,pool=4000`."""

from collections.abc import Mapping

from loop.domain.campaign import PluginChoice, Setting
from loop.domain.errors import CampaignFileError

_WORDS: dict[str, bool] = {"true": True, "false": False}


def parse_plugin(text: str) -> PluginChoice:
    """A name, and after a colon settings `key=value` with commas between them.

    Numbers are read as numbers, `true` and `false` as such, all else as text.

    Raises:
        CampaignFileError: If it is not of that form.
    """
    name, colon, rest = text.strip().partition(":")
    settings: dict[str, Setting] = {}
    for pair in rest.split(",") if colon else ():
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and key and equals and value) or key in settings:
            msg = (
                f"{text!r} is not understood; write NAME:KEY=VALUE,KEY=VALUE, such as "
                "upper-confidence-bound:beta=0.5."
            )
            raise CampaignFileError(msg)
        settings[key] = _setting(value)
    return PluginChoice(name, settings)


def plugin_text(name: str, settings: Mapping[str, Setting]) -> str:
    """The inverse of `parse_plugin`."""
    if not settings:
        return name
    return f"{name}:" + ",".join(f"{key}={_text(value)}" for key, value in settings.items())


def _setting(value: str) -> Setting:
    if value in _WORDS:
        return _WORDS[value]
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _text(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
