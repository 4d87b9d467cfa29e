"""Make the first mask of a video for demo/vos_demo.py, from boxes, polygons, or a picture with a colour per object.

python tools/make_mask.py mine.mp4 --box 40 20 180 160 --polygon 200 30 260 90 210 140 --out mask.png --preview mask.jpg
python tools/make_mask.py mine.mp4 --colours painted.png --out mask.png

Objects are numbered 1, 2, ... in the order given. A box is left, top, right, bottom; a polygon is x, y of each corner,
both in pixels of the upright frame. Later objects cover earlier ones. Colours are numbered from the top; black is
background.
"""

import argparse

from mmsigma.utils.options import CommandParser


def parse_args() -> argparse.Namespace:
    summary, _, rest = __doc__.partition('\n')
    parser = CommandParser(description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('video', help='a video file, or a folder of frames')
    corners = ('LEFT', 'TOP', 'RIGHT', 'BOTTOM')
    for option, nargs, names, about in (
        ('--box', 4, corners, 'sides of an object, in pixels; may be repeated'),
        ('--polygon', '+', 'X Y', 'corners of an object, in pixels; may be repeated'),
    ):
        parser.add_argument(
            option, dest='outlines', action='append', type=float, nargs=nargs, metavar=names, default=[], help=about
        )
    parser.add_argument('--colours', help='a picture of the size of the frame, one colour per object')
    parser.add_argument('--frame', type=int, default=0, help='number of the frame (default: %(default)s)')
    parser.add_argument('--out', required=True, help='mask to write, a palette PNG')
    parser.add_argument('--preview', help='picture to write of the frame with the objects drawn in')
    parser.add_argument('--verbose', action='store_true', help='show tracebacks')
    args = parser.parse_args()
    if bool(args.outlines) == bool(args.colours):
        parser.error('describe the objects by --box and --polygon, or by --colours')
    return args


def main() -> None:
    args = parse_args()
    from pathlib import Path

    from mmsigma.apis.first_mask import boxes_of, draw_outlines, ids_from_colours
    from mmsigma.apis.launch import errors_in_one_line
    from mmsigma.io.masks import write_mask
    from mmsigma.io.pictures import PICTURES, read_picture
    from mmsigma.io.video import FrameReader
    from mmsigma.visualization.masked_video import write_picture
    from mmsigma.visualization.overlay import draw_masks

    with errors_in_one_line(args.video, verbose=args.verbose):
        frames = FrameReader(args.video)
        if not 0 <= args.frame < len(frames):
            raise ValueError(f'it has frames 0 to {len(frames) - 1}, so there is no frame {args.frame}')
        if Path(args.out).suffix.lower() != '.png':
            raise ValueError(f'--out must end in .png, the only format that masks are read from, got {args.out}')
        if args.preview and Path(args.preview).suffix.lower() not in PICTURES:
            raise ValueError(f'--preview must end in one of {" ".join(sorted(PICTURES))}, got {args.preview}')
        frame = frames.read(args.frame)
        if args.colours:
            mask, _ = ids_from_colours(read_picture(args.colours), args.colours)
            if mask.shape != frame.shape[:2]:
                sizes = ' and '.join(f'{one.shape[1]} x {one.shape[0]}' for one in (mask, frame))
                raise ValueError(f'{args.colours} and the frame differ in size, {sizes}: draw on the frame itself')
        else:
            mask = draw_outlines(frame.shape[:2], args.outlines)
        write_mask(args.out, mask)
        if args.preview:
            write_picture(Path(args.preview), draw_masks(frame, mask))
    for number, box in boxes_of(mask).items():
        print(f'object {number}: {(mask == number).sum():,} pixels within {box}')


if __name__ == '__main__':
    main()
