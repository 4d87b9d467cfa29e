"""Metafiles of the configs, whose entries name a config and the options that it is given."""

from pathlib import Path
from typing import Any

import yaml
from mmengine.config import Config

from mmsigma.utils.config import load_config

ROOT = Path(__file__).resolve().parents[1]


def read_models(folder: str) -> dict[str, dict[str, Any]]:
    """The models of a folder of configs by name."""
    entries = yaml.safe_load((ROOT / 'configs' / folder / 'metafile.yml').read_text())['Models']
    models = {entry['Name']: entry for entry in entries}
    assert len(models) == len(entries) and all(
        entry['Config'].startswith(f'configs/{folder}/') and (ROOT / entry['Config']).is_file() for entry in entries
    )
    return models


def load_model(entry: dict[str, Any], **options: Any) -> Config:
    """The config of a model, with its options and these."""
    return load_config(ROOT / entry['Config'], {**entry.get('Options', {}), **options})


def label(entry: dict[str, Any], *, link: bool = True) -> str:
    """How a table of a README names a model: ``[config](config.py) `option=value```."""
    name = Path(entry['Config']).stem
    options = ' '.join(f'{key}={value}' for key, value in entry.get('Options', {}).items())
    return (f'[{name}]({name}.py)' if link else name) + (f' `{options}`' if options else '')


def plain_configs(models: dict[str, dict[str, Any]]) -> list[str]:
    """Names of the configs of the models that are trained without options."""
    return sorted(Path(entry['Config']).stem for entry in models.values() if 'Options' not in entry)
