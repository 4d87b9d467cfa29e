"""Export a checkpoint for distribution: a folder with model.safetensors and config.py, or an ONNX file.

The parameters are those of the config's model, checked for completeness; optimiser and history are left out, and no
pickle is written. The config is written in full, without bases. Use the folder like the checkpoint::

    python tools/model_converters/export.py work_dirs/run/epoch_50.pth my_model \\
        --config configs/finetune/vitb_ssv2.py --classes data/sthv2/classes.txt
    python tools/test.py my_model/config.py my_model/model.safetensors

Official, mmaction2 and Hugging Face files can be exported as well. Without ``--config``, the model is that of the
config in the checkpoint of a run; of that config, the folder then has the model, its data sets and plain values.

``--to onnx`` writes what a classifier or an encoder of clips computes, for any number of clips, which onnxruntime runs
without mmsigma::

    python tools/model_converters/export.py k400.pth k400.onnx --config configs/finetune/vitb_k400.py --to onnx
    python tools/model_converters/export.py sigma.pth sigma.onnx --config configs/sigma/vitb_k400_mlp.py --to onnx \\
        --output tokens
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser, OptionAction


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint to read')
    parser.add_argument('out', type=Path, help='folder or, with --to onnx, file to write')
    parser.add_argument(
        '--config', help='config file of the model, or package::path (default: that in the checkpoint of a run)'
    )
    parser.add_argument('--to', choices=['folder', 'onnx'], default='folder', help='(default: %(default)s)')
    parser.add_argument(
        '--output',
        choices=['scores', 'pooled', 'tokens'],
        help='what an ONNX file computes (default: scores, or without a head the mean token)',
    )
    parser.add_argument('--classes', type=Path, help='file with one class name per line, to go with the model')
    parser.add_argument('--half', action='store_true', help='write a folder with float16, of half the size')
    parser.add_argument('--trust', action='store_true', help='allow the checkpoint to execute code while it is loaded')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, default={}, help='key=value pairs')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from mmsigma.apis.folder_export import export_folder
    from mmsigma.apis.models import class_names_of_checkpoint, open_config
    from mmsigma.apis.onnx_export import export_onnx
    from mmsigma.io.text import read_lines
    from mmsigma.utils.preflight import check_config

    try:
        source, weights = (args.config, args.checkpoint) if args.config else (args.checkpoint, None)
        cfg, _ = open_config(source, weights, args.cfg_options, trust=args.trust)
        check_config(cfg)
        if args.half and args.to == 'onnx':
            raise ValueError('--half is for --to folder')
        if args.to == 'onnx':
            names = class_names_of_checkpoint(args.checkpoint, trust=args.trust)
            names = read_lines(args.classes) if args.classes else names
            print(export_onnx(cfg, args.checkpoint, args.out, output=args.output, classes=names, trust=args.trust))
            return
        if args.output:
            raise ValueError('--output is for --to onnx')
        number = export_folder(args.checkpoint, args.out, cfg, classes=args.classes, half=args.half, trust=args.trust)
    except (OSError, RuntimeError, KeyError, ValueError, ImportError) as error:
        raise SystemExit(f'not exported: {error.args[0] if isinstance(error, KeyError) else error}') from error
    names = ', classes.txt' * (args.out / 'classes.txt').is_file()
    print(f'{number:,} parameters in {args.out}: model.safetensors, config.py{names}')


if __name__ == '__main__':
    main()
