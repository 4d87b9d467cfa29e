"""Export a checkpoint for distribution: a folder with model.safetensors and config.py, or an ONNX file.

The parameters are those of the config's model, checked for completeness; optimiser and history are left out, and no
pickle is written. The config is written in full, without bases. Use the folder like the checkpoint::

    python tools/model_converters/export.py work_dirs/run/epoch_50.pth my_model --config work_dirs/run/config.py \\
        --classes data/sthv2/classes.txt
    python tools/test.py my_model/config.py my_model/model.safetensors

Official, mmaction2 and Hugging Face files can be exported as well.

``--to onnx`` writes what a classifier or an encoder of clips computes, for any number of clips, which onnxruntime runs
without mmsigma::

    python tools/model_converters/export.py k400.pth k400.onnx --config configs/finetune/vitb_k400.py --to onnx
    python tools/model_converters/export.py sigma.pth sigma.onnx --config configs/sigma/vitb_k400_mlp.py --to onnx \\
        --output tokens
"""

import argparse
from pathlib import Path

from mmengine.config import Config

from mmsigma.utils.options import OptionAction


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', type=Path, help='checkpoint to read')
    parser.add_argument('out', type=Path, help='folder or, with --to onnx, file to write')
    parser.add_argument('--config', required=True, help='config file of the model, or package::path')
    parser.add_argument('--to', choices=['folder', 'onnx'], default='folder', help='(default: %(default)s)')
    parser.add_argument(
        '--output',
        choices=['scores', 'pooled', 'tokens'],
        help='what an ONNX file computes (default: scores, or without a head the mean token)',
    )
    parser.add_argument('--classes', type=Path, help='file with one class name per line, to go with the model')
    parser.add_argument('--trust', action='store_true', help='allow the checkpoint to execute code while it is loaded')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def export(checkpoint: Path, out_dir: Path, cfg: Config, *, classes: Path | None = None, trust: bool = False) -> int:
    """Write the parameters of a model, its config and its class names.

    Args:
        checkpoint: Checkpoint with the parameters.
        out_dir: Folder to write.
        cfg: Config with the model.
        classes: File with one class name per line, or None.
        trust: Whether to unpickle arbitrary objects in ``checkpoint``.

    Returns:
        Number of parameters.

    Raises:
        FileNotFoundError: If a file is missing.
        RuntimeError: If the checkpoint is damaged, unsafe, or does not match the model.
        ValueError: If the number of class names differs from that of classes.
    """
    from safetensors.torch import save_file

    from mmsigma.checkpoints.io import load_into_model, load_weights
    from mmsigma.io.atomic import write_atomically
    from mmsigma.io.text import read_lines
    from mmsigma.registry import MODELS

    model = MODELS.build(cfg.model)
    load_into_model(model, load_weights(checkpoint, trust=trust), origin=checkpoint, allow_missing=False)
    names = read_lines(classes) if classes else []
    num_classes = getattr(getattr(model, 'head', None), 'num_classes', None)
    if classes and len(names) != num_classes:
        raise ValueError(f'{classes} has {len(names)} class names, but the model has {num_classes} classes')
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    settings = {key: value for key, value in cfg.to_dict().items() if key not in ('work_dir', 'experiment_name')}
    cfg = Config({**settings, 'load_from': None, 'resume': False})
    write_atomically(out_dir / 'model.safetensors', lambda name: save_file(state, name, metadata={'format': 'pt'}))
    write_atomically(out_dir / 'config.py', lambda name: Path(name).write_text(cfg.pretty_text, encoding='utf-8'))
    if names:
        text = ''.join(f'{name}\n' for name in names)
        write_atomically(out_dir / 'classes.txt', lambda name: Path(name).write_text(text, encoding='utf-8'))
    return sum(value.numel() for value in state.values())


def main() -> None:
    args = parse_args()
    from mmsigma.utils.config import load_config
    from mmsigma.utils.preflight import check_config

    try:
        cfg = load_config(args.config, args.cfg_options)
        check_config(cfg)
        if args.to == 'onnx':
            print(to_onnx(args, cfg))
            return
        if args.output:
            raise ValueError('--output is for --to onnx')
        number = export(args.checkpoint, args.out, cfg, classes=args.classes, trust=args.trust)
    except (OSError, RuntimeError, KeyError, ValueError, ImportError) as error:
        raise SystemExit(f'not exported: {error.args[0] if isinstance(error, KeyError) else error}') from error
    print(f'{number:,} parameters in {args.out}: model.safetensors, config.py' + ', classes.txt' * bool(args.classes))


def to_onnx(args: argparse.Namespace, cfg: Config) -> str:
    from mmsigma.apis.models import class_names_of_checkpoint
    from mmsigma.apis.onnx_export import export_onnx
    from mmsigma.io.text import read_lines

    names = class_names_of_checkpoint(args.checkpoint, trust=args.trust)
    if args.classes:
        names = read_lines(args.classes)
    return export_onnx(cfg, args.checkpoint, args.out, output=args.output, classes=names, trust=args.trust)


if __name__ == '__main__':
    main()
