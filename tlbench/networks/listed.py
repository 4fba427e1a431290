"""The families of networks by name, for `--tlbench-network` and `tlbench networks`.

To add a family to tlbench, add a line to `FAMILIES`: its name, and a function from settings to a network. A project
adds its own by the hook `pytest_tlbench_networks`.
"""

from __future__ import annotations

import ast

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from tlbench.errors import ConfigurationError
from tlbench.networks import applications
from tlbench.networks.applications import Application
from tlbench.networks.xception import Xception


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Listed = Xception | Application


def _application(function: str) -> Callable[..., Application]:
    own = {field.name for field in fields(Application)} - {"function", "arguments"}

    def make(**settings: Any) -> Application:
        arguments = tuple((name, value) for name, value in settings.items() if name not in own)
        return Application(
            function, arguments=arguments, **{name: value for name, value in settings.items() if name in own}
        )

    return make


# By name, in lower case.
FAMILIES: Mapping[str, Callable[..., Listed]] = {
    Xception.family: Xception,
    **{function.lower(): _application(function) for function in applications.FAMILIES},
}


def parse(text: str, own: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """Read a network.

    Args:
        text: Name of a family, in any case, and its settings, for instance `"mobilenet:alpha=0.25,image_size=96"`.
        own: Families of a project by name; each is a function from settings to a `tlbench.Network`.

    Returns:
        The network, a `tlbench.Network`.

    Raises:
        ConfigurationError: There is no such family, it refuses a setting, or two families have the same name.
    """
    families: dict[str, Callable[..., Any]] = {**FAMILIES}
    for family, make in (own or {}).items():
        if family.lower() in families:
            msg = f"A family of networks has this name already; choose another for yours. Received: {family!r}"
            raise ConfigurationError(msg)
        families[family.lower()] = make
    name, _, settings = text.partition(":")
    if name.strip().lower() not in families:
        added = f", and pytest_tlbench_networks adds {', '.join(own)}" if own else ""
        msg = f"There is no such family of networks; `tlbench networks` lists them{added}. Received: {name!r}"
        raise ConfigurationError(msg)
    given: dict[str, Any] = {}
    for setting in filter(None, settings.split(",")):
        key, equals, value = setting.partition("=")
        if not equals:
            msg = f"A setting of a network is a name and a value, such as image_size=96. Received: {setting!r}"
            raise ConfigurationError(msg)
        given[key.strip()] = _value(value.strip())
    try:
        return families[name.strip().lower()](**given)
    except TypeError as error:
        msg = f"The network {name} refuses a setting. Received: {text!r} ({error})"
        raise ConfigurationError(msg) from error


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
