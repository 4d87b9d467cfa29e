"""Convert weights for GTA: ImageNet weights of Keras' ResNet50V2, or a checkpoint of the official release.

``resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5`` of keras-applications contains the frame encoder, of which
the blocks up to ``conv4_block3`` are used; reading it requires h5py. A checkpoint of the release, ``ckpt-20.index`` and
its data files, contains frame encoder and embedder; its optimiser is left out. Neither requires TensorFlow.

Examples::

    python tools/model_converters/convert_gta.py resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5 \\
        checkpoints/resnet50v2_imagenet.pth
    python tools/model_converters/convert_gta.py ckpt-20 gta_penn_action.pth
"""

import argparse
from pathlib import Path

from mmsigma.utils.options import CommandParser


def main() -> None:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('src', type=Path, help='.h5 of Keras, or checkpoint with or without .index')
    parser.add_argument('dst', type=Path, help='file to write: .safetensors, or anything else for torch.save')
    args = parser.parse_args()
    from mmsigma.apis.gta_conversion import convert_gta

    try:
        print(convert_gta(args.src, args.dst))
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise SystemExit(f'nothing was written: {error.args[0] if isinstance(error, KeyError) else error}') from error


if __name__ == '__main__':
    main()
