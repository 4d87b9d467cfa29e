"""A small synthetic video dataset with action labels, object masks and phase annotations.

Ten action classes differ in motion alone: textures, shapes, colours, backdrop, camera path, frame size, frame rate and
length come from a random stream that does not depend on the class. Eight classes form pairs of each other's time
reverse, so single frames of one look like those of the other. Cut-outs glued to the backdrop (see
:mod:`.demo_render`) hide in a still image how many objects are about to move.

Objects move as a function of *progress*, a clock from 0 to the number of phases of the class. It runs at a different
pace in each video: key events come at random times, with a random warp between them. Two videos of one class are
perfectly aligned where their progress is equal, and ``phase = floor(progress)``.

The same seed yields the same images with the same versions of NumPy and OpenCV.
"""

import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from mmsigma.io.atomic import make_folder
from mmsigma.io.masks import write_mask
from mmsigma.io.video import write_mp4

from .demo_render import Track, draw_scene, render_frame, rotation

VERSION = 1
"""Number that changes whenever the same arguments yield different data."""


class Action(NamedTuple):
    """A class: ``move`` maps progress ``(T,)`` in [0, len(phases)) and a random generator to one track per object."""

    name: str
    phases: tuple[str, ...]
    move: Callable[[np.ndarray, np.random.Generator], list[Track]]


def _track(centre: np.ndarray, linear: np.ndarray, opacity: np.ndarray | float = 1.0) -> Track:
    num_frames = max(len(centre), len(linear), np.size(opacity))
    return Track(
        np.broadcast_to(centre, (num_frames, 2)),
        np.broadcast_to(linear, (num_frames, 2, 2)),
        np.broadcast_to(opacity, (num_frames,)),
    )


def _draw_spot(rng: np.random.Generator, reach: float) -> np.ndarray:
    return rng.uniform(-reach, reach, (1, 2))


def _draw_turn(rng: np.random.Generator) -> np.ndarray:
    return rotation(rng.uniform(0, math.tau, 1))


def _surge(progress: np.ndarray) -> np.ndarray:
    """Return the completed fraction of a motion, 0 to 1: the middle of three phases contributes most of it."""
    done: np.ndarray = np.interp(progress, [0, 1, 2, 3], [0, 0.2, 0.8, 1])
    return done


def _translate(progress: np.ndarray, rng: np.random.Generator, heading: float) -> list[Track]:
    heading = math.radians(heading + rng.uniform(-15, 15))
    path = rng.uniform(0.42, 0.55) * np.array([math.cos(heading), math.sin(heading)])
    return [_track(_draw_spot(rng, 0.06) + np.outer(_surge(progress) - 0.5, path), _draw_turn(rng))]


def _rotate(progress: np.ndarray, rng: np.random.Generator, sign: int) -> list[Track]:
    angle = math.radians(rng.uniform(200, 300)) * sign * _surge(progress)
    return [_track(_draw_spot(rng, 0.12), rotation(angle) @ _draw_turn(rng))]


def _resize(progress: np.ndarray, rng: np.random.Generator, sign: int) -> list[Track]:
    scale = rng.uniform(2.2, 2.8) ** (sign * (_surge(progress) - 0.5))
    return [_track(_draw_spot(rng, 0.1), scale[:, None, None] * _draw_turn(rng))]


def _vanish(progress: np.ndarray, rng: np.random.Generator) -> list[Track]:
    opacity = np.interp(progress, [0, 1, 2, 3, 4], [1, 1, 0, 0, 1])
    return [_track(_draw_spot(rng, 0.15), _draw_turn(rng), opacity)]


def _collide(progress: np.ndarray, rng: np.random.Generator) -> list[Track]:
    heading = rng.uniform(0, math.tau)
    axis = rotation(heading)
    middle, far, touch = _draw_spot(rng, 0.05), rng.uniform(0.27, 0.31), 0.135
    squash = 1 - 0.35 * np.sin(math.pi * np.clip(progress - 1, 0, 1))
    linear = 0.85 * axis @ (np.stack([squash, 1 / squash], -1)[..., None] * axis.T)
    # squashed objects come closer to each other
    reach = np.interp(progress, [0, 1, 2, 3], [far, touch, touch, far]) * squash
    return [_track(middle + np.outer(side * reach, axis[:, 0]), linear @ _draw_turn(rng)) for side in (-1, 1)]


_ONE_WAY = ('setting_off', 'rushing', 'slowing_down')

ACTIONS = (
    Action('move_left', _ONE_WAY, partial(_translate, heading=180)),
    Action('move_right', _ONE_WAY, partial(_translate, heading=0)),
    Action('move_up', _ONE_WAY, partial(_translate, heading=-90)),
    Action('move_down', _ONE_WAY, partial(_translate, heading=90)),
    Action('rotate_cw', _ONE_WAY, partial(_rotate, sign=1)),
    Action('rotate_ccw', _ONE_WAY, partial(_rotate, sign=-1)),
    Action('approach', _ONE_WAY, partial(_resize, sign=1)),
    Action('recede', _ONE_WAY, partial(_resize, sign=-1)),
    Action('vanish', ('present', 'vanishing', 'gone', 'reappearing'), _vanish),
    Action('collide', ('closing_in', 'touching', 'bouncing_off'), _collide),
)
"""All classes; the position of a class is its label."""


class DemoVideo(NamedTuple):
    """A rendered video with its annotation.

    Attributes:
        label: Index into :data:`ACTIONS`.
        fps: Frames per second.
        frames: RGB frames ``(T, H, W, 3)``, uint8.
        masks: Object masks ``(T, H, W)``, uint8: 0 is background, 1 the (first) object, 2 the second object of
            ``collide``. An object that has vanished has no pixels.
        progress: Progress ``(T,)``, float, non-decreasing; its integer part is the phase.
        events: First frame of each phase, ``(P,)``, int.
    """

    label: int
    fps: int
    frames: np.ndarray
    masks: np.ndarray
    progress: np.ndarray
    events: np.ndarray


def render_demo_video(index: int, seed: int = 0, label: int | None = None) -> DemoVideo:
    """Render one video of the demo dataset in memory.

    Args:
        index: Number of the video, which together with ``seed`` determines it.
        seed: Seed of the dataset.
        label: Class of the video; None for ``index`` modulo the number of classes, as in the dataset. Everything but
            the motion of the objects is independent of the label.

    Returns:
        The video, with 30 to 90 frames of 96 to 240 pixels a side.
    """
    label = index % len(ACTIONS) if label is None else label
    streams = np.random.SeedSequence([seed, index]).spawn(3)
    look, motion, noise = (np.random.default_rng(stream) for stream in streams)
    scene = draw_scene(look)
    action = ACTIONS[label]
    events, progress = _draw_clock(motion, len(action.phases), scene.num_frames)
    tracks = action.move(progress, motion)
    frames, masks = zip(*(render_frame(scene, time, tracks, noise) for time in range(scene.num_frames)), strict=True)
    return DemoVideo(label, scene.fps, np.stack(frames), np.stack(masks), progress, events)


def _draw_clock(rng: np.random.Generator, num_phases: int, num_frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the first frames of the phases ``(P,)`` and the progress ``(T,)``, with a random pace between events."""
    # deviations are a quarter of the mean share; of people who sit down or lie down and rise, a fifth to a third
    shares = (1 / num_phases + rng.dirichlet(np.full(num_phases, 2.0))) / 2
    borders = np.rint(np.cumsum([0, *shares]) * num_frames).astype(int)
    progress = []
    for phase, length in enumerate(np.diff(borders)):
        time = np.arange(length) / length
        progress.append(phase + time + rng.uniform(-0.6, 0.6) * np.sin(math.tau * time) / math.tau)
    return borders[:-1], np.concatenate(progress)


class _Job(NamedTuple):
    """Arguments of one rendering task; ``masked`` videos are also written as frames with masks."""

    out_dir: Path
    index: int  # type: ignore[assignment]  # hides the method of tuples, which nothing calls
    seed: int
    label: int
    masked: bool


def make_demo_dataset(
    out_dir: str | os.PathLike[str],
    num_videos: int = 120,
    seed: int = 0,
    val_share: float = 0.25,
    num_masked: int | None = None,
    num_workers: int = 0,
    on_video: Callable[[str], None] | None = None,
    num_classes: int = len(ACTIONS),
) -> Path:
    """Make the demo dataset, unless it exists already.

    Files under ``out_dir``:

    * ``videos/<name>.mp4``; one name has a space in it, as happens in real data.
    * ``annotations/{train,val}.txt`` with lines ``videos/<name>.mp4 <label>``; ``annotations/classes.txt``.
    * ``phases/<name>.json``: class, phase and progress of every frame, first frame of every phase.
    * ``JPEGImages/480p/<name>/00000.jpg``, ``Annotations/480p/<name>/00000.png`` and ``ImageSets/2017/{train,val}.txt``
      in the layout of DAVIS 2017, whose tools look for a folder called ``480p``; the frames are smaller than that.
    * ``README.txt`` and ``meta.json``, the latter with the arguments of the dataset.

    A video depends on its number, ``seed`` and ``num_classes``, but neither on ``num_videos`` nor on ``num_workers``.
    The last videos are for validation; as labels alternate, the classes of both splits are balanced to within one
    video. An interrupted run is continued by the same call.

    Args:
        out_dir: Folder to fill; it is created if necessary.
        num_videos: Number of videos, at least 2.
        seed: Seed, at least 0.
        val_share: Fraction of the videos for validation, strictly between 0 and 1.
        num_masked: Number of videos, counted from the last one, that are also written as frames with masks; None for
            the validation videos.
        num_workers: Number of worker processes; 0 renders in this process. Workers are spawned, so a script must guard
            its entry point with ``if __name__ == '__main__'``.
        on_video: Function that is called with the name of each finished video.
        num_classes: Number of classes to use, from the first; fewer classes have more videos each.

    Returns:
        ``out_dir`` as a path.

    Raises:
        ValueError: If an argument is out of range.
        FileExistsError: If ``out_dir`` contains anything else.
        OSError: If a file could not be written.
    """
    if seed < 0 or num_workers < 0:
        raise ValueError(f'seed and num_workers must not be negative, got {seed} and {num_workers}')
    if not 1 <= num_classes <= len(ACTIONS):
        raise ValueError(f'num_classes must be between 1 and {len(ACTIONS)}, got {num_classes}')
    num_val, num_masked = _share_out(num_videos, val_share, num_masked)
    out_dir = Path(out_dir)
    meta = {
        'generator': 'mmsigma demo data',
        'version': VERSION,
        'seed': seed,
        'num_videos': num_videos,
        'num_val': num_val,
        'num_masked': num_masked,
        'num_classes': num_classes,
    }
    if _is_complete(out_dir, meta):
        return out_dir
    _write_json(out_dir / 'meta.json', meta | {'complete': False})
    splits = {'train': range(num_videos - num_val), 'val': range(num_videos - num_val, num_videos)}
    first_masked = num_videos - num_masked
    _write_lists(out_dir, splits, first_masked, num_classes)
    jobs = [_Job(out_dir, index, seed, index % num_classes, index >= first_masked) for index in range(num_videos)]
    for name in _make_videos(jobs, num_workers):
        if on_video is not None:
            on_video(name)
    _write_text(out_dir / 'README.txt', _describe(meta))
    _write_json(out_dir / 'meta.json', meta | {'complete': True})
    return out_dir


def _share_out(num_videos: int, val_share: float, num_masked: int | None) -> tuple[int, int]:
    """Return the numbers of validation videos and of masked videos, with at least one video in each split."""
    if num_videos < 2:
        raise ValueError(f'num_videos must be at least 2, for one video per split, got {num_videos}')
    if not 0 < val_share < 1:
        raise ValueError(f'val_share must be strictly between 0 and 1, got {val_share}')
    num_val = min(max(round(num_videos * val_share), 1), num_videos - 1)
    num_masked = num_val if num_masked is None else num_masked
    if not 0 <= num_masked <= num_videos:
        raise ValueError(f'num_masked must be between 0 and num_videos = {num_videos}, got {num_masked}')
    return num_val, num_masked


def video_name(index: int) -> str:
    """Return the name of a video without suffix; that of video 1 contains a space."""
    return f'clip {index:04d}' if index == 1 else f'clip_{index:04d}'


def _is_complete(out_dir: Path, meta: dict[str, Any]) -> bool:
    """Return whether the dataset is complete; raise FileExistsError if the folder has other content than part of it."""
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return False
    try:
        found = json.loads((out_dir / 'meta.json').read_text())
        complete: bool = found.pop('complete')
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise FileExistsError(f'{out_dir} exists but does not contain a demo dataset: choose another folder') from None
    if found != meta:
        raise FileExistsError(f'{out_dir} contains another demo dataset, {found}, not {meta}: choose another folder')
    return complete


def _make_videos(jobs: list[_Job], num_workers: int) -> Iterator[str]:
    if num_workers == 0:
        yield from map(_make_video, jobs)
        return
    # forked workers could inherit locks that threads of OpenCV or torch hold
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(num_workers, context, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        yield from pool.map(_make_video, jobs)


def _make_video(job: _Job) -> str:
    """Render and write one video unless it exists; the file of phases is written last and marks it as complete."""
    out_dir, index, seed, label, masked = job
    name = video_name(index)
    phases = out_dir / 'phases' / f'{name}.json'
    if phases.exists():
        return name
    video = render_demo_video(index, seed, label)
    write_mp4(out_dir / 'videos' / f'{name}.mp4', video.frames, video.fps)
    if masked:
        _write_davis(out_dir, name, video.frames, video.masks)
    action = ACTIONS[video.label]
    _write_json(
        phases,
        {
            'label': video.label,
            'class': action.name,
            'fps': float(video.fps),
            'num_frames': len(video.frames),
            'phase_names': action.phases,
            'events': dict(zip(action.phases, video.events.tolist(), strict=True)),
            'phases': np.floor(video.progress).astype(int).tolist(),
            'progress': video.progress.round(4).tolist(),
        },
    )
    return name


def _write_davis(out_dir: Path, name: str, frames: np.ndarray, masks: np.ndarray) -> None:
    pictures, annotations = (out_dir / kind / '480p' / name for kind in ('JPEGImages', 'Annotations'))
    make_folder(pictures)
    for time, (frame, mask) in enumerate(zip(frames, masks, strict=True)):
        Image.fromarray(frame).save(pictures / f'{time:05d}.jpg', quality=92)
        write_mask(annotations / f'{time:05d}.png', mask)


def _write_lists(out_dir: Path, splits: dict[str, range], first_masked: int, num_classes: int) -> None:
    classes = ''.join(f'{action.name}\n' for action in ACTIONS[:num_classes])
    _write_text(out_dir / 'annotations' / 'classes.txt', classes)
    for split, indices in splits.items():
        lines = [f'videos/{video_name(index)}.mp4 {index % num_classes}\n' for index in indices]
        _write_text(out_dir / 'annotations' / f'{split}.txt', ''.join(lines))
        names = [f'{video_name(index)}\n' for index in indices if index >= first_masked]
        _write_text(out_dir / 'ImageSets' / '2017' / f'{split}.txt', ''.join(names))


def _describe(meta: dict[str, Any]) -> str:
    lines = [f'{label}  {action.name}: {", ".join(action.phases)}' for label, action in enumerate(ACTIONS)]
    classes = '\n'.join(lines[: meta['num_classes']])
    facts = '\n'.join(f'{key}: {value}' for key, value in meta.items())
    return f"""\
Demo videos of mmsigma: textured objects moving over moving backdrops. Synthetic throughout.

Made by mmsigma.synthetic.demo_data.make_demo_dataset with
{facts}

Labels, class names and phases:
{classes}

videos/         the videos
annotations/    splits with labels, class names
phases/         phase and progress of every frame
JPEGImages/, Annotations/, ImageSets/
                frames and object masks of some videos, laid out as in DAVIS 2017 (the name 480p is for its tools)
"""


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write_text(path, json.dumps(content) + '\n')


def _write_text(path: Path, text: str) -> None:
    """Write a file such that it never exists half-written."""
    make_folder(path.parent)
    draft = path.with_name(f'.{os.getpid()}-{path.name}')
    draft.write_text(text)
    draft.replace(path)
