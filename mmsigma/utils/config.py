"""Loading of config files, with command-line values that take effect before a file computes anything from them."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmsigma import compat
from mmsigma.utils.preflight import ConfigError, check_option


def load_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file and its bases.

    An option without a dot, such as ``data_root`` or ``epochs``, replaces the value of that top-level variable wherever
    a file of the inheritance chain assigns it, *before* the file computes anything from it. All other options are
    merged into the finished config, as in mmengine.

    Args:
        path: Config file, or ``package::path`` for a config of an installed package.
        options: Dotted keys and values, as of ``--cfg-options``.

    Returns:
        The config with all options applied.

    Raises:
        FileNotFoundError: If there is no such file or package.
        mmsigma.utils.preflight.ConfigError: If an option without a dot is neither a variable that a file assigns nor a
            setting of the Runner, or if the file or the options set ``trust_checkpoints``, which authors of configs
            must not decide.
    """
    path = find_config(path)
    options = dict(options or {})
    variables = {key: value for key, value in options.items() if '.' not in key and not isinstance(value, dict)}
    with compat.bases_from_installed_packages(), compat.overridden_variables(variables) as found:
        cfg = Config.fromfile(path)
    for key in options:
        if '.' not in key and key not in found:
            check_option(key, cfg, is_variable=key in variables)
    cfg.merge_from_dict({key: value for key, value in options.items() if key not in found})
    if cfg.get('trust_checkpoints'):
        raise ConfigError(
            f'{path}: trust_checkpoints lets checkpoints execute code, and a config must not allow that: remove it, '
            'and pass --trust-checkpoint on the command line if you trust the origin of the file'
        )
    return cfg


def find_config(path: str | Path) -> Path:
    """Locate a config file; ``package::path`` is looked up among the configs installed with the package.

    Raises:
        FileNotFoundError: If there is no such file or package.
    """
    found = compat.installed_config(str(path)) if '::' in str(path) else Path(path)
    if not found.is_file():
        raise FileNotFoundError(f'no config at {found}')
    return found
