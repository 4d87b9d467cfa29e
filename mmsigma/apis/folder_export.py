"""Handing a model on: a folder with its parameters, its config without bases and the names of its classes."""

from pathlib import Path

from mmengine.config import Config
from safetensors.torch import save_file

from mmsigma.apis.models import class_names_of_checkpoint
from mmsigma.checkpoints.io import load_into_model, load_weights
from mmsigma.io.atomic import write_atomically, write_text
from mmsigma.io.text import read_lines
from mmsigma.registry import MODELS

_OF_THIS_MACHINE = ('work_dir', 'experiment_name', 'default_weights')  # settings that stay behind


def export_folder(
    checkpoint: Path,
    out_dir: Path,
    cfg: Config,
    *,
    classes: Path | None = None,
    half: bool = False,
    trust: bool = False,
) -> int:
    """Write the parameters of a model, its config and its class names.

    Args:
        checkpoint: Checkpoint with the parameters.
        out_dir: Folder to write.
        cfg: Config with the model.
        classes: File with one class name per line; None for those that the checkpoint has.
        half: Whether to write the parameters as float16, at half the size; models load them as float32.
        trust: Whether to unpickle arbitrary objects in ``checkpoint``.

    Returns:
        Number of parameters.

    Raises:
        FileNotFoundError: If a file is missing.
        RuntimeError: If the checkpoint is damaged, unsafe, or does not match the model.
        ValueError: If the number of class names differs from that of classes, or float16 cannot hold a value.
    """
    model = MODELS.build(cfg.model)
    load_into_model(model, load_weights(checkpoint, trust=trust), origin=checkpoint, allow_missing=False)
    names = read_lines(classes) if classes else class_names_of_checkpoint(checkpoint, trust=trust)
    num_classes = getattr(getattr(model, 'head', None), 'num_classes', None)
    if classes and len(names) != num_classes:
        raise ValueError(f'{classes} has {len(names)} class names, but the model has {num_classes} classes')
    if len(names) != num_classes:  # of a checkpoint whose head was replaced, or that has none
        names = []
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if half:
        state = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
        if too_large := [name for name, value in state.items() if not value.isfinite().all()]:
            raise ValueError(f'{too_large[0]} has values that float16 cannot hold')
    settings = {key: value for key, value in cfg.to_dict().items() if key not in _OF_THIS_MACHINE}
    cfg = Config({**settings, 'load_from': None, 'resume': False})
    write_atomically(out_dir / 'model.safetensors', lambda name: save_file(state, name, metadata={'format': 'pt'}))
    write_text(out_dir / 'config.py', cfg.pretty_text)
    if names:
        text = ''.join(f'{name}\n' for name in names)
        write_text(out_dir / 'classes.txt', text)
    else:
        (out_dir / 'classes.txt').unlink(missing_ok=True)  # of a model that was exported there before
    return sum(value.numel() for value in state.values())
