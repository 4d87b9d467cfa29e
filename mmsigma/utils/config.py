"""Loading configs: command-line values reach what a file computes from its variables."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmsigma import compat
from mmsigma.utils.preflight import ConfigError, check_option


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and its bases.

    An option without a dot, such as ``data_root`` or ``epochs``, replaces the value of that top-level variable wherever
    a file of the inheritance chain assigns it, *before* the file computes anything from it. All other options are
    merged into the finished config, as mmengine does.

    Args:
        path: The config file, or ``package::path`` of one that an installed package carries.
        options: Dotted keys and values, as of ``--cfg-options``.

    Raises:
        FileNotFoundError: If there is no such file or package.
        mmsigma.utils.preflight.ConfigError: If an option without a dot is no variable that a file assigns, and means
            nothing to the Runner; if its value is none of those that a file chooses by; or if file or options set
            ``trust_checkpoints``, which is not for those who write or hand on configs to decide.
    """
    path = find_config(path)
    options = dict(options or {})
    variables = {key: value for key, value in options.items() if '.' not in key and not isinstance(value, dict)}
    with compat.bases_from_installed_packages(), compat.overridden_variables(variables) as found:
        cfg = _read(path, variables)
    for key in options:
        if '.' not in key and key not in found:
            check_option(key, cfg, is_variable=key in variables)
    cfg.merge_from_dict({key: value for key, value in options.items() if key not in found})
    if cfg.get('trust_checkpoints'):
        raise ConfigError(
            f'{path}: trust_checkpoints lets checkpoints execute code, and a config cannot allow that: leave it out, '
            'and give --trust-checkpoint on the command line if you trust where the file is from'
        )
    return cfg


def _read(path: Path, variables: dict[str, Any]) -> Config:
    try:
        return Config.fromfile(path)
    except KeyError as error:
        # a table in a file, looked up by a variable
        for name, value in variables.items():
            if value in error.args:
                raise ConfigError(
                    f'{value!r} is no choice of {name}; a comment in {path} or its bases says which there are'
                ) from error
        raise


def find_config(path: str | Path) -> Path:
    """Where a config file is; ``package::path`` is looked up in the configs that the package was installed with.

    Raises:
        FileNotFoundError: If there is no such file or package.
    """
    found = compat.installed_config(str(path)) if '::' in str(path) else Path(path)
    if not found.is_file():
        raise FileNotFoundError(f'no config at {found}')
    return found
