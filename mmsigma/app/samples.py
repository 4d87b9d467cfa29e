"""Videos for a first try of the web app, which are generated when it starts."""

from pathlib import Path
from typing import NamedTuple

from mmsigma.apis.first_mask import boxes_of
from mmsigma.io.tables import write_csv
from mmsigma.io.video import write_playable
from mmsigma.synthetic.demo_data import ACTIONS, render_demo_video

_CLASSES = 4  # move_left, move_right, move_up, move_down


class SampleVideo(NamedTuple):
    """A generated video.

    Attributes:
        video: File that browsers play.
        phases: CSV with the phase of every frame.
        box: Bounding box ``(left, top, right, bottom)`` of its object in the first frame.
    """

    video: Path
    phases: Path
    box: tuple[int, int, int, int]


def make_samples(folder: str | Path, number: int = 8) -> list[SampleVideo]:
    """Generate videos of four actions in turn, so that videos ``n`` and ``n + 4`` show the same one.

    Raises:
        OSError: If a file cannot be written.
    """
    samples = []
    for index in range(number):
        video = render_demo_video(index, label=index % _CLASSES)
        action = ACTIONS[video.label]
        path = Path(folder, f'{action.name}_{index // _CLASSES + 1}.mp4')
        write_playable(path, video.frames, video.fps)
        phases = [(number, action.phases[int(progress)]) for number, progress in enumerate(video.progress)]
        write_csv(path.with_suffix('.csv'), [('frame', 'label'), *phases])
        samples.append(SampleVideo(path, path.with_suffix('.csv'), boxes_of(video.masks[0])[1]))
    return samples
