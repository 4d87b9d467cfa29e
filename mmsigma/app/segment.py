"""Tab of the web app: segment the objects of a video, drawn on one of its frames."""

import filecmp
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from mmsigma.apis.frame_reduction import reduce_frame, reduced_size
from mmsigma.app.drawing import BOX, BRUSH, POLYGON, SHAPES, Drawing
from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import OUTPUT, Sessions, open_upload, told
from mmsigma.app.settings import Models
from mmsigma.io.atomic import write_atomically
from mmsigma.io.video import FrameReader
from mmsigma.ops.resizing import resize_labels

_HINTS = {
    BOX: 'Click on two opposite corners of a box around the object.',
    POLYGON: 'Click on the corners of the object, then on *Add object*.',
    BRUSH: 'Paint over the object, then click on *Add object*.',
}


_WIDTH = 960  # pixels of the frame to draw on, about


@dataclass
class DrawnVideo:
    """A video, what is drawn on it, and the frame that is shown.

    Attributes:
        video: File.
        num_frames: Number of frames.
        size: Height and width of its frames, before they are reduced.
        drawing: Objects, drawn on reduced frames.
        frame: Number of the shown frame.
        pixels: The shown frame, reduced, ``(H, W, 3)``, uint8.
    """

    video: Path
    num_frames: int
    size: tuple[int, int]
    drawing: Drawing
    frame: int
    pixels: np.ndarray

    @property
    def zoom(self) -> int:
        """Side of a pixel of small frames in the picture; Gradio finds no clicks in what the page enlarges."""
        return max(1, round(_WIDTH / self.drawing.size[1]))

    def picture(self) -> np.ndarray:
        """Return the shown frame with its objects, enlarged by ``zoom``, RGB, uint8."""
        return self.drawing.picture(self.frame, self.pixels).repeat(self.zoom, 0).repeat(self.zoom, 1)

    def masks(self) -> dict[int, np.ndarray]:
        """Return the drawn ids by frame, in the size of the video, see :meth:`~mmsigma.app.drawing.Drawing.masks`."""
        return {frame: resize_labels(mask, self.size) for frame, mask in self.drawing.masks().items()}

    def describe(self) -> str:
        """List the objects, and say how much frames are reduced."""
        return f'{self.drawing.describe().removesuffix(".")}{self.reduction()}.'

    def reduction(self) -> str:
        """Say how much frames are reduced; empty if they are not."""
        small = self.drawing.size
        if small == self.size:
            return ''
        return (
            f'. Frames of {self.size[1]} x {self.size[0]} are reduced to {small[1]} x {small[0]}, also in the video '
            'below; the masks to download have the full size'
        )


class SegmentTab:
    """Handlers of the tab, and its layout.

    Args:
        models: Models of the app.
        sessions: Visitors of the app.
        sample: Video for a first try.
    """

    def __init__(self, models: Models, sessions: Sessions, sample: SampleVideo) -> None:
        self.models, self.sessions, self.sample = models, sessions, sample

    def open(self, path: str | None) -> tuple[Any, ...]:
        """Show the first frame of a video; return the values of ``shown`` and the slider of frames."""
        if path is None:
            return *self._shown(None), gr.Slider(maximum=1, value=0)
        video = open_upload(path, self.models.settings.max_seconds)
        pixels = video.read(0)
        size = (pixels.shape[0], pixels.shape[1])
        small = reduced_size(size, self.models.settings.short_side)
        scene = DrawnVideo(video.path, len(video), size, Drawing(small), 0, reduce_frame(pixels, small))
        if filecmp.cmp(video.path, self.sample.video, shallow=False):  # Gradio shows a copy of it
            scene.drawing.add_outline(0, self.sample.box)
        return *self._shown(scene), gr.Slider(maximum=max(1, len(video) - 1), value=0)

    def move(self, scene: DrawnVideo | None, number: float) -> tuple[Any, ...]:
        """Show another frame."""
        if scene is not None:
            number = min(int(number), scene.num_frames - 1)
            pixels = FrameReader(scene.video).read(number)
            scene.frame, scene.pixels = number, reduce_frame(pixels, scene.drawing.size)
            scene.drawing.corners.clear()
        return self._shown(scene)

    def click(self, scene: DrawnVideo | None, shape: str, event: gr.SelectData) -> tuple[Any, ...]:
        """Add a corner where the frame was clicked."""
        if scene is not None:
            x, y = (int(place) // scene.zoom for place in event.index)
            scene.drawing.click(scene.frame, (x, y), shape)
        return self._shown(scene)

    def add(self, scene: DrawnVideo | None, shape: str, painted: dict[str, Any] | None) -> tuple[Any, ...]:
        """Add the polygon or what was painted as an object."""
        if scene is None:
            raise ValueError('choose a video first')
        if shape == BRUSH:
            scene.drawing.paint(scene.frame, (painted or {}).get('layers', []))
        elif shape == POLYGON:
            scene.drawing.close(scene.frame)
        else:
            raise ValueError('a box is added by clicks on two opposite corners')
        return self._shown(scene)

    def undo(self, scene: DrawnVideo | None) -> tuple[Any, ...]:
        """Remove the last corner or object."""
        if scene is not None:
            scene.drawing.undo()
        return self._shown(scene)

    def choose(self, scene: DrawnVideo | None, shape: str) -> tuple[Any, ...]:
        """Change the tool."""
        if scene is not None:
            scene.drawing.corners.clear()
        return (
            gr.Image(None if scene is None else scene.picture(), visible=shape != BRUSH),
            gr.ImageEditor(visible=shape == BRUSH),
            _HINTS[shape],
        )

    def run(
        self, scene: DrawnVideo | None, request: gr.Request, progress: gr.Progress = gr.Progress()
    ) -> tuple[str, gr.DownloadButton, gr.DownloadButton, str]:
        """Segment the video: overlay to play, both downloads, and a summary."""
        if scene is None:
            raise ValueError('choose a video first')
        masks, folder = scene.masks(), self.sessions.folder(request, 'segment')
        with self.sessions.start(request, progress, 'Segmenting') as step:
            segment = self.models.segmenter
            found = segment.write(scene.video, masks, folder, height=scene.drawing.size[0], progress=step)
        archive = folder / f'{scene.video.stem}_masks.zip'
        write_atomically(archive, lambda name: _zip(Path(name), found.masks))
        video = found.overlay.rename(folder / f'{scene.video.stem}_overlay.mp4')
        pace = found.seconds / found.num_frames
        summary = f'{found.num_frames} frames, objects {found.ids}, {pace:.2f} s a frame{scene.reduction()}'
        return (
            str(video),
            gr.DownloadButton(value=str(archive), interactive=True),
            gr.DownloadButton(value=str(video), interactive=True),
            summary,
        )

    def _shown(self, scene: DrawnVideo | None) -> tuple[Any, ...]:
        if scene is None:
            return None, None, None, 'No video yet.'
        return scene, scene.picture(), _canvas(scene), scene.describe()

    def build(self) -> None:
        """Lay out the tab."""
        gr.Markdown(self.models.describe('segment'))
        scene = gr.State(time_to_live=3600)
        with gr.Row():
            with gr.Column():
                video = gr.Video(label='Video', sources=['upload'], height=300, elem_id='segment-video')
                sample = gr.Button('Try a sample', size='sm', elem_id='segment-sample')
            with gr.Column():
                frame = gr.Slider(0, 1, 0, step=1, label='Frame to draw on', buttons=[], elem_id='segment-frame')
                shape = gr.Radio(SHAPES, value=BOX, label='Draw with')
                hint = gr.Markdown(_HINTS[BOX])
        picture = gr.Image(label='Frame', elem_id='segment-picture', **OUTPUT)
        editor = gr.ImageEditor(
            label='Frame',
            visible=False,
            sources=(),
            transforms=(),
            layers=False,
            brush=gr.Brush(colors=['#ffd400']),
            buttons=[],
            elem_id='segment-editor',
        )
        with gr.Row():
            add, undo = gr.Button('Add object', min_width=100), gr.Button('Undo', min_width=100)
        objects = gr.Markdown('No video yet.', elem_id='segment-objects')
        with gr.Row():
            run = gr.Button('Segment', variant='primary', min_width=140, elem_id='segment-run')
            stop = gr.Button('Cancel', min_width=140, elem_id='segment-stop')
        overlay = gr.Video(label='Objects', elem_id='segment-overlay', **OUTPUT)
        summary = gr.Markdown(elem_id='segment-summary')
        with gr.Row():
            masks = gr.DownloadButton('Masks (zip)', interactive=False, min_width=140, elem_id='segment-masks')
            file = gr.DownloadButton('Video (mp4)', interactive=False, min_width=140)

        shown = [scene, picture, editor, objects]
        quick = dict(show_progress='hidden')
        # by default, clicks are lost while the one before is worked on
        each = dict(quick, trigger_mode='multiple', concurrency_id='drawing', concurrency_limit=1)
        sample.click(lambda: str(self.sample.video), None, video, **quick)
        video.change(told(self.open), video, [*shown, frame])
        frame.release(told(self.move), [scene, frame], shown, trigger_mode='always_last', **quick)
        tool = shape.change(self.choose, [scene, shape], [picture, editor, hint], **quick)
        # an editor takes no picture while it is hidden
        tool.then(_canvas, scene, editor, **quick)
        picture.select(told(self.click), [scene, shape], shown, **each)
        add.click(told(self.add), [scene, shape, editor], shown, **quick)
        undo.click(told(self.undo), scene, shown, **each)
        run.click(self.sessions.expect, queue=False).then(
            told(self.run), scene, [overlay, masks, file, summary], concurrency_id='work', show_progress_on=overlay
        )
        stop.click(self.sessions.cancel, queue=False)


def _canvas(scene: DrawnVideo | None) -> dict[str, Any] | None:
    """Return a value of the editor: the frame, and nothing painted."""
    return None if scene is None else dict(background=scene.picture(), layers=[], composite=None)


def _zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path, 'w') as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f'{folder.name}/{file.name}')
