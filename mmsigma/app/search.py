"""Tab of the web app: find the videos of a folder that are most like a clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsigma.apis import FeatureExtractor
from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import OUTPUT, Sessions, Step, open_upload, told
from mmsigma.app.settings import Models
from mmsigma.datasets.videos.video_dataset import find_videos
from mmsigma.io.video import FrameReader
from mmsigma.visualization.alignment import pick_frames
from mmsigma.visualization.masked_video import mosaic


@dataclass(frozen=True, eq=False)
class SearchIndex:
    """Features of videos.

    Attributes:
        wanted: Videos that it was made of.
        videos: Those that could be read.
        features: Features of unit length, ``(N, D)``.
        failed: Why others could not be read.
    """

    wanted: tuple[Path, ...]
    videos: list[Path]
    features: Tensor
    failed: list[str]

    def nearest(self, query: Tensor, number: int) -> list[tuple[Path, float]]:
        """Return the videos most like a query ``(D,)``, with the cosine of their features, in decreasing order."""
        cosines = self.features @ F.normalize(query, dim=0)
        best = cosines.topk(min(number, len(cosines)))
        return [(self.videos[place], value) for value, place in zip(*(part.tolist() for part in best), strict=True)]


def make_index(extract: FeatureExtractor, videos: Sequence[Path], max_seconds: float, step: Step) -> SearchIndex:
    """Compute the features of videos.

    Raises:
        ValueError: If none can be read; the message has the reason of the first.
    """
    readable, features, failed = [], [], []
    for number, path in enumerate(videos, start=1):
        try:
            open_upload(str(path), max_seconds)
            features.append(extract(path))
        except ValueError as error:
            failed.append(str(error).replace(str(path), path.name))
        else:
            readable.append(path)
        step(number, len(videos))
    if not features:
        raise ValueError(f'none of {len(videos)} videos could be read: {failed[0] if failed else "there are none"}')
    return SearchIndex(tuple(videos), readable, F.normalize(torch.stack(features), dim=1), failed)


class SearchTab:
    """Handlers of the tab, and its layout.

    Args:
        models: Models of the app.
        sessions: Visitors of the app.
        samples: Videos to search, if the app was started without a folder.
    """

    def __init__(self, models: Models, sessions: Sessions, samples: Sequence[SampleVideo]) -> None:
        self.models, self.sessions, self.samples = models, sessions, samples
        folder = models.settings.videos
        self.videos = (
            [one.video for one in samples] if folder is None else find_videos(folder, 'give --videos a folder')
        )

    def run(
        self,
        query: str | None,
        uploads: list[str] | None,
        number: float,
        index: SearchIndex | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[Any, ...]:
        """Search: pictures of the nearest videos with their similarity, the index, and what it contains."""
        limit = self.models.settings.max_seconds
        open_upload(query, limit, 'a video to search for')
        videos = [Path(path) for path in uploads] if uploads else self.videos
        if index is None or index.wanted != tuple(videos):
            with self.sessions.start(request, progress, 'Reading the videos', 'videos') as step:
                index = make_index(self.models.extractor, videos, limit, step)
        with self.sessions.start(request, progress, 'Searching'):
            found = index.nearest(self.models.extractor(str(query)), int(number))
        pictures = [(sheet(path), f'{similarity:.3f} · {path.stem}') for path, similarity in found]
        return pictures, index, status_of(index)

    def build(self) -> None:
        """Lay out the tab."""
        gr.Markdown(self.models.describe('search'))
        index = gr.State(time_to_live=3600)
        with gr.Row():
            with gr.Column():
                query = gr.Video(label='Clip to search for', sources=['upload'], height=300, elem_id='search-query')
                sample = gr.Button('Try a sample', size='sm', elem_id='search-sample')
            with gr.Column():
                place = 'generated samples' if self.models.settings.videos is None else self.models.settings.videos.name
                gr.Markdown(f'Searched are **{len(self.videos)} videos** ({place}), or your own:')
                uploads = gr.File(label='Videos to search', file_count='multiple', file_types=['video'], height=160)
                number = gr.Slider(1, 12, 4, step=1, label='Number of results', buttons=[])
        with gr.Row():
            run = gr.Button('Search', variant='primary', min_width=140, elem_id='search-run')
            stop = gr.Button('Cancel', min_width=140)
        status = gr.Markdown(elem_id='search-status')
        found = gr.Gallery(
            label='Nearest videos, with the cosine similarity of their features',
            columns=2,
            object_fit='contain',
            elem_id='search-found',
            **OUTPUT,
        )
        sample.click(lambda: str(self.samples[0].video), None, query, show_progress='hidden')
        run.click(self.sessions.expect, queue=False).then(
            told(self.run),
            [query, uploads, number, index],
            [found, index, status],
            concurrency_id='work',
            show_progress_on=found,
        )
        stop.click(self.sessions.cancel, queue=False)


def sheet(path: Path) -> np.ndarray:
    """Return four frames of a video in two rows, RGB ``(H, W, 3)``, uint8."""
    one, two, three, four = pick_frames(FrameReader(path), 4)
    return mosaic([[one, two], [three, four]])


def status_of(index: SearchIndex) -> str:
    """Say in Markdown what an index contains."""
    text = f'{len(index.videos)} videos, features of {index.features.shape[1]} numbers'
    return text + ''.join(f'\n* left out: {reason}' for reason in index.failed)
