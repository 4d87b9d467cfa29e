"""Tab of the web app: align two videos of one action in time."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
import torch
from torch import Tensor

from mmsigma.apis.video_aligner import Aligned
from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import OUTPUT, Sessions, Step, Work, open_upload, told
from mmsigma.app.settings import Models
from mmsigma.io.tables import read_csv, write_csv
from mmsigma.io.video import FrameReader, write_playable
from mmsigma.ops.label_transfer import first_matches
from mmsigma.visualization.alignment import draw_alignment, pick_frames, side_by_side

_HEIGHT = 240  # pixels of the frames that are shown


@dataclass(frozen=True, eq=False)
class Pair:
    """Two aligned videos, ready to be looked at frame by frame.

    Attributes:
        aligned: The alignment.
        frames: Frames of both videos, reduced, as JPEG.
        matches: Frame of the second video for each of the first, and of the first for each of the second.
    """

    aligned: Aligned
    frames: tuple[list[bytes], list[bytes]]
    matches: tuple[Tensor, Tensor]

    def show(self, which: int, number: int) -> tuple[np.ndarray, np.ndarray, int, str]:
        """Return a frame of each video, the number of that of the other one, and their times in a line.

        Args:
            which: Video that is scrubbed, 0 or 1.
            number: Number of its frame.
        """
        other = int(self.matches[which][number])
        numbers = (number, other) if which == 0 else (other, number)
        first, second = (_decode(frames[place]) for frames, place in zip(self.frames, numbers, strict=True))
        times = [
            float(video.seconds()[place])
            for video, place in zip((self.aligned.first, self.aligned.second), numbers, strict=True)
        ]
        return first, second, other, f'{times[0]:.2f} s of the first video matches {times[1]:.2f} s of the second'


class AlignTab:
    """Handlers of the tab, and its layout.

    Args:
        models: Models of the app.
        sessions: Visitors of the app.
        samples: Two videos for a first try.
    """

    def __init__(self, models: Models, sessions: Sessions, samples: tuple[SampleVideo, SampleVideo]) -> None:
        self.models, self.sessions, self.samples = models, sessions, samples

    def run(
        self, first: str | None, second: str | None, request: gr.Request, progress: gr.Progress = gr.Progress()
    ) -> tuple[Any, ...]:
        """Align two videos: what to play, the costs, the state, and both sliders with what they show."""
        limit = self.models.settings.max_seconds
        readers = open_upload(first, limit, 'the first video'), open_upload(second, limit, 'the second video')
        folder, embedded = self.sessions.folder(request, 'align'), []
        for reader, name in zip(readers, ('first', 'second'), strict=True):
            with self.sessions.start(request, progress, f'Reading the {name} video') as step:
                embedded.append(self.models.aligner.embed(reader, step))
        with self.sessions.start(request, progress, 'Aligning'):
            aligned = self.models.aligner(embedded[0], embedded[1])
        names = f'{aligned.first.name} (first)', f'{aligned.second.name} (second)'
        seconds = aligned.first.seconds(), aligned.second.seconds()
        picture, video = folder / 'alignment.png', folder / 'side_by_side.mp4'
        some = pick_frames(readers[0]), pick_frames(readers[1])
        draw_alignment(aligned.cost, aligned.pairs(), picture, names=names, times=seconds, frames=some)
        step = self.sessions.start(request, progress, 'Drawing')
        played = side_by_side(*readers, aligned.matches().tolist(), _HEIGHT)
        write_playable(video, _counted(played, len(readers[0]), step), readers[0].fps)
        pair = Pair(
            aligned,
            (_encode(readers[0], step), _encode(readers[1], step)),
            (aligned.matches(), first_matches(*_ordered(*aligned.pairs()))),
        )
        one, other, matched, times = pair.show(0, 0)
        lengths = [len(frames) - 1 for frames in pair.frames]
        sliders = gr.Slider(maximum=max(1, lengths[0]), value=0), gr.Slider(maximum=max(1, lengths[1]), value=matched)
        return str(video), str(picture), pair, *sliders, one, other, times

    def scrub_first(self, pair: Pair | None, number: float) -> tuple[Any, ...]:
        """Show a frame of the first video, and the matching one; return them, the other slider, and their times."""
        return self._scrub(pair, 0, number)

    def scrub_second(self, pair: Pair | None, number: float) -> tuple[Any, ...]:
        """Show a frame of the second video, and the matching one, as :meth:`scrub_first`."""
        return self._scrub(pair, 1, number)

    def _scrub(self, pair: Pair | None, which: int, number: float) -> tuple[Any, ...]:
        if pair is None:
            raise ValueError('align two videos first')
        return pair.show(which, min(int(number), len(pair.frames[which]) - 1))

    def carry(self, pair: Pair | None, labels: str | None, request: gr.Request) -> tuple[Any, ...]:
        """Carry labels of the second video to the first: rows of a table, and a CSV file to download."""
        if pair is None:
            raise ValueError('align two videos first')
        if labels is None:
            raise ValueError('choose a CSV file with the labels of the second video first')
        aligned = pair.aligned
        carried = aligned.transfer(read_labels(labels, len(aligned.second.embeddings)))
        times = aligned.first.seconds().tolist()
        path = self.sessions.folder(request, 'labels') / f'{aligned.first.name}_labels.csv'
        rows = [(number, *row) for number, row in enumerate(zip(times, carried, strict=True))]
        write_csv(path, [('frame', 'seconds', 'label'), *rows])
        spans = [(label, list(part)) for label, part in groupby(rows, key=lambda row: row[2])]
        table = [[label, f'{part[0][1]:.2f}', f'{part[-1][1]:.2f}'] for label, part in spans]
        return table, gr.DownloadButton(value=str(path), interactive=True)

    def build(self) -> None:
        """Lay out the tab."""
        gr.Markdown(self.models.describe('align'))
        pair = gr.State(time_to_live=3600)
        with gr.Row():
            given: dict[str, Any] = dict(sources=['upload'], height=300, min_width=320)
            first = gr.Video(label='First video, which keeps its pace', elem_id='align-first', **given)
            second = gr.Video(label='Second video, of the same action', elem_id='align-second', **given)
        sample = gr.Button('Try samples', size='sm', elem_id='align-sample')
        with gr.Row():
            run = gr.Button('Align', variant='primary', min_width=140, elem_id='align-run')
            stop = gr.Button('Cancel', min_width=140)
        played = gr.Video(label='Both in one time', loop=True, elem_id='align-played', **OUTPUT)
        costs = gr.Image(label='Costs, and the path through them', elem_id='align-costs', **OUTPUT)
        gr.Markdown('### Frame by frame\nMove either slider; the other one follows.')
        times = gr.Markdown(elem_id='align-times')
        sliders, pictures = [], []
        with gr.Row():
            for name in ('first', 'second'):
                with gr.Column():
                    label = f'Frame of the {name} video'
                    pictures.append(gr.Image(label=label, elem_id=f'align-{name}-frame', **OUTPUT))
                    sliders.append(gr.Slider(0, 1, 0, step=1, label=label, buttons=[], elem_id=f'align-{name}-slider'))
        gr.Markdown('### Carry labels\nFrom each frame of the second video, one CSV row with `label`, to the first.')
        labels = gr.File(label='Labels of the second video', file_types=['.csv'], height=120)
        carry = gr.Button('Carry labels', elem_id='align-carry')
        table = gr.Dataframe(
            headers=['label', 'from (s)', 'to (s)'], label='Labels of the first video', interactive=False, wrap=True
        )
        file = gr.DownloadButton('Labels (csv)', interactive=False, elem_id='align-labels')

        video, phases = ([str(one[place]) for one in self.samples] for place in (0, 1))
        sample.click(lambda: (*video, phases[1]), None, [first, second, labels], show_progress='hidden')
        shown = [*pictures, times]
        run.click(self.sessions.expect, queue=False).then(
            told(self.run),
            [first, second],
            [played, costs, pair, *sliders, *shown],
            concurrency_id='work',
            show_progress_on=played,
        )
        stop.click(self.sessions.cancel, queue=False)
        for which, (slider, scrub) in enumerate(zip(sliders, (self.scrub_first, self.scrub_second), strict=True)):
            outputs = [*pictures, sliders[1 - which], times]
            slider.input(told(scrub), [pair, slider], outputs, show_progress='hidden', trigger_mode='always_last')
        carry.click(told(self.carry), [pair, labels], [table, file])


def read_labels(path: str | Path, length: int) -> list[str]:
    """Read a CSV with a column ``label`` and a row per frame, in their order or with their numbers in ``frame``.

    Raises:
        ValueError: If there is no such column, or not one row for each of ``length`` frames.
    """
    titles, rows = read_csv(path)
    if 'label' not in titles:
        raise ValueError(f'{path} has the columns {titles}, but no "label": give the column of labels this title')
    labels = [cells['label'] for _, cells in rows]
    if len(labels) != length:
        raise ValueError(f'{path} has {len(labels)} rows, but the second video has {length} frames: give one for each')
    if 'frame' not in titles:
        return labels
    numbers = [cells['frame'] for _, cells in rows]
    if sorted(numbers) != sorted(map(str, range(length))):
        raise ValueError(f'{path}: the column "frame" is not the numbers 0 to {length - 1}, each once')
    return [label for _, label in sorted(zip(map(int, numbers), labels, strict=True))]


def _ordered(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return a path by the frames of the second video, ``(P,)`` each, second video first."""
    order = torch.argsort(second, stable=True)
    return second[order], first[order]


def _counted(frames: Iterator[np.ndarray], total: int, step: Step) -> Iterator[np.ndarray]:
    for number, frame in enumerate(frames, start=1):
        step(number, total)
        yield frame


def _encode(video: FrameReader, step: Work) -> list[bytes]:
    frames = []
    for frame in video:
        step.check()
        size = max(1, round(frame.shape[1] * _HEIGHT / frame.shape[0])), _HEIGHT
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        frames.append(cv2.imencode('.jpg', small[..., ::-1])[1].tobytes())
    return frames


def _decode(data: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None  # it is what was encoded above
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
