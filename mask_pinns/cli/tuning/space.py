"""What the command tune can search: the settings, their types, the default search, and a configuration with values.

Neither torch nor Optuna is imported here, so that a wrong search is answered at once. A setting can be searched if the
loss at fresh points means the same for all of its values.
"""

from __future__ import annotations

import copy
from argparse import ArgumentError
from collections.abc import Mapping
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any, get_args, get_origin

from mask_pinns.cli.checks import check_settings
from mask_pinns.cli.configuration import LONG_FORMS, declared_network
from mask_pinns.cli.parser import SHORT_FLAGS, Parser, build_parser, explain_error
from mask_pinns.cli.run_folder import UsageError
from mask_pinns.registry import suggestion
from mask_pinns.settings import Embedding, LossSettings, Sampling, names, options, plain
from mask_pinns.settings.values import write_values
from mask_pinns.tuning.search import Choice, Range, SearchError, Space, parse_search

OTHERS = (
    "exact_time", "optimizer", "lr", "decay", "decay_every", "causal", "balance", "resample", "window_fresh",
)  # fmt: skip
"""Settings that can be searched, beside those of the network and the embedding."""
ANOTHER_LOSS = "the loss at fresh points means another thing for each value, so that trials do not compare"
REFUSED = {
    **dict.fromkeys(("exact", "periodic", "dimensionless", "unknowns", "fix", "symmetry"), ANOTHER_LOSS),
    **{option.name: ANOTHER_LOSS for cls in (LossSettings, Sampling) for option in options(cls) if option.judged},
    **dict.fromkeys(("target", "loss_target", "patience"), "it ends a training, and makes none better"),
    "windows": "a loss in windows compares with one in the same windows only",
    "seed": "all trials have the seed of the study, --seed",
    "steps": "all trials have the same number of steps, --trial_steps or --steps",
}
"""{setting: why it is not searched}."""
GOES_ON = ("resume", "trials", "tune_minutes", "folder", "accelerator")
"""Settings that may be given when a study goes on."""


def check_tune(config: SimpleNamespace) -> None:
    """Answers mistakes of the command before torch is imported. Raises ValueError."""
    for package in ("optuna", "sqlalchemy"):
        if find_spec(package) is None:
            raise UsageError(f'tune needs Optuna, and {package} is missing: pip install "mask-pinns[tune]"')
    others = [flag for flag in config.typed if flag.lstrip("-") not in GOES_ON]
    if config.resume and others:
        raise UsageError(
            f"the trials of a study have the same settings and search: leave out {', '.join(others)}, or begin a new "
            f"study without --resume; with it there are --{', --'.join(GOES_ON[1:])}"
        )
    refusals = {
        "verify": "--verify is for one run: train the best settings with it afterwards",
        "ckpt_path": "--ckpt_path is for validate, test and predict; to go on with a study: --resume",
    }
    for name, message in refusals.items():
        if getattr(config, name):
            raise UsageError(message)
    if config.trainer.get("max_time"):
        raise UsageError("--trainer.max_time would end trials at different steps; use --tune_minutes, --trial_steps")
    if config.search is not None:
        searched(config, config.search)


def searched(config: SimpleNamespace, text: str) -> Space:
    """Returns what a text searches. Raises ValueError for what is not understood, cannot be searched, or is refused as
    a value of its setting.
    """
    parser = build_parser(config.problem["name"], config.network["name"])
    space = parse_search(text, lambda name: _kind(parser, name))
    keys = [_key(name) for name in space]
    for name in space:
        if keys.count(_key(name)) > 1:
            raise SearchError(f"--search {name}: it occurs twice, under two names; leave one of them out")
    _check_network(config, space)
    for name, values in space.items():
        for value in (values.low, values.high) if isinstance(values, Range) else values.values:
            _check(config, parser, name, value)
    return space


def _check_network(config: SimpleNamespace, space: Space) -> None:
    """Raises UsageError for settings of networks that some network to be tried, or the one of --from, does not have."""
    of_network = {name: key.removeprefix("network.") for name in space if (key := _key(name)).startswith("network.")}
    if config.start_from and of_network:
        name = next(iter(of_network))
        raise UsageError(f"--search {name}: --from begins with the weights of one network; leave one of them out")
    tried = space.get("network", space.get("network.name"))
    for network in tried.values if isinstance(tried, Choice) else ():
        try:
            known = ["name", *declared_network(network).parameters]
        except ValueError as error:
            raise UsageError(f"--search network: {error}") from None
        for name, option in of_network.items():
            if option not in known:
                raise UsageError(f"--search {name}: the network {network} has none; leave one of them out")


def _check(config: SimpleNamespace, parser: Parser, name: str, value: Any) -> None:
    """Raises UsageError for a value that the setting does not take."""
    try:
        parser.parse_args([f"--{_key(name)}={written(value)}"])
        check_settings(vars(with_values(config, {name: value})))
    except ArgumentError as error:
        raise UsageError(f"--search {name} {written(value)}: {explain_error(str(error), parser)}") from None
    except ValueError as error:
        raise UsageError(f"--search {name}: {error}") from None


def written(value: Any) -> str:
    """A value as it is typed on the command line."""
    return str(write_values(value)).removesuffix("...\n").strip() if not isinstance(value, str) else value


def _key(name: str) -> str:
    """The long form of a setting's name: width is network.width."""
    if f"--{name}" in LONG_FORMS:
        return LONG_FORMS[f"--{name}"].lstrip("-")
    if name.partition(".")[0] in names(Embedding):
        return f"embedding.{name}"
    return f"network.{name}" if name in SHORT_FLAGS else name


def _kind(parser: Parser, name: str) -> type:
    """The type of a setting's values. Raises SearchError for a setting that does not exist, or is not searched."""
    key, actions = _key(name), {action.dest: action for action in parser._actions}
    bare = key.removeprefix("embedding.")
    stem, _, inner = bare.partition(".")
    if reason := REFUSED.get(bare, REFUSED.get(stem)):
        raise SearchError(f"--search {name}: {reason}")
    if stem == "problem":
        raise SearchError(f"--search {name}: another value makes it another problem, and losses of two do not compare")
    if stem == "scale" and inner:
        return float
    action = actions.get(key)
    known = searchable(parser)
    if action is None or bare not in known:
        names_known = [_short(key) for key in known]
        if action is not None:
            raise SearchError(f"--search {name}: it is not searched; there are: {', '.join(names_known)}")
        raise SearchError(f"--search {name}: unknown setting; {suggestion(name, names_known)}")
    return _plain_kind(getattr(action, "_typehint", str))


def searchable(parser: Parser) -> list[str]:
    """The settings that can be searched, under their long names (those of the embedding without its name)."""
    network = [action.dest for action in parser._actions if action.dest.startswith("network.")]
    embedding = [name for name in names(Embedding) if name not in ("periodic", "scale")]
    return [*sorted(network, key="network.name".__eq__), *embedding, *OTHERS]


def _short(key: str) -> str:
    """The name under which a setting is usually given."""
    bare = key.removeprefix("network.")
    return "network" if bare == "name" else bare if bare in SHORT_FLAGS else key


def _plain_kind(typehint: Any) -> type:
    """int, float, bool or str: of a restricted number, or of one that may be missing."""
    kinds = get_args(typehint) if get_origin(typehint) else (typehint,)
    for kind in (bool, int, float):
        if any(isinstance(each, type) and issubclass(each, kind) for each in kinds):
            return kind
    return str


def with_values(config: SimpleNamespace, values: Mapping[str, Any]) -> SimpleNamespace:
    """Returns the configuration with values of settings in it, as if they had been typed."""
    changed = copy.deepcopy(config)
    keyed = {_key(name): value for name, value in values.items()}
    if (network := keyed.pop("network.name", None)) is not None and network != config.network["name"]:
        known, before = declared_network(network).parameters, declared_network(config.network["name"]).parameters
        own = {key: value for key, value in config.network.items() if key in before and value != before[key].default}
        kept = {key: value for key, value in own.items() if key in known}  # what is not a default of the one before
        changed.network = {key: p.default for key, p in known.items()} | kept | {"name": network}
    for key, value in keyed.items():
        *groups, last = key.split(".")
        target: Any = vars(changed)
        for group in groups:
            target = target[group]
        target[last] = plain(value)
    return changed


def current(config: SimpleNamespace, name: str) -> Any:
    """The value of a setting in a configuration; None if there is none."""
    value: Any = vars(config)
    for part in _key(name).split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def default_search(config: SimpleNamespace, first_order: bool) -> str:
    """What helps most: the frequencies at which the first layer starts, the activation, the width, about the values of
    the configuration; and the learning rate of a first-order optimizer.
    """
    parts, network = [], config.network
    if first_scale := network.get("first_scale"):
        parts.append(f"first_scale {first_scale / 4:.3g}..{first_scale * 4:.3g} log")
    if (activation := network.get("activation")) and "omega" not in network:
        parts.append(f"activation {activation}|{'tanh' if activation == 'sin' else 'sin'}")
    if omega := network.get("omega"):
        parts.append(f"network.omega {omega / 4:.3g}..{omega * 4:.3g} log")
    if (width := network.get("width", 0)) > 1:
        parts.append(f"width {(width + 1) // 2}..{width + width // 2}")
    if first_order:
        parts.append("lr 0.0003..0.01 log")
    return ", ".join(parts)
