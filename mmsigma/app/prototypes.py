"""Tab of the web app: what the prototypes of a SIGMA pick out of a video."""

import gradio as gr

from mmsigma.app.samples import SampleVideo
from mmsigma.app.sessions import OUTPUT, Sessions, open_upload, told
from mmsigma.app.settings import Models


class PrototypesTab:
    """Handlers of the tab, and its layout.

    Args:
        models: Models of the app.
        sessions: Visitors of the app.
        sample: Video for a first try.
    """

    def __init__(self, models: Models, sessions: Sessions, sample: SampleVideo) -> None:
        self.models, self.sessions, self.sample = models, sessions, sample

    def run(
        self,
        path: str | None,
        number: float,
        top: float,
        interval: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str, str, str, str]:
        """Draw prototypes: a picture, a video of them, one of the encoder's features, and a summary."""
        video = open_upload(path, self.models.settings.max_seconds)
        with self.sessions.start(request, progress, 'Looking for prototypes', 'steps') as step:
            view = self.models.viewer
            step(1, 3)
            found = view(video, number=int(number), top=int(top), interval=int(interval))
            step(2, 3)
        picture, prototypes, features = found.write(self.sessions.folder(request, 'prototypes') / found.name)
        rows = ', '.join(map(str, found.drawn))
        summary = (
            f'The clip and, below it, the tubes most similar to prototypes {rows}, which stand out among '
            f'{found.scores.shape[1]}: they are far more similar to some tubes of this clip than to the others.'
        )
        return str(picture), str(prototypes), str(features), summary

    def build(self) -> None:
        """Lay out the tab."""
        gr.Markdown(self.models.describe('prototypes'))
        with gr.Row():
            with gr.Column():
                video = gr.Video(label='Video', sources=['upload'], height=300, elem_id='prototypes-video')
                sample = gr.Button('Try a sample', size='sm', elem_id='prototypes-sample')
            with gr.Column():
                number = gr.Slider(1, 12, 6, step=1, label='Number of prototypes', buttons=[])
                top = gr.Slider(1, 100, 25, step=1, label='Tubes of a prototype', buttons=[])
                interval = gr.Slider(1, 12, 4, step=1, label='Stride between frames of the clip', buttons=[])
        with gr.Row():
            run = gr.Button('Show', variant='primary', min_width=140, elem_id='prototypes-run')
            stop = gr.Button('Cancel', min_width=140)
        summary = gr.Markdown(elem_id='prototypes-summary')
        picture = gr.Image(label='The clip, and a prototype per row', elem_id='prototypes-picture', **OUTPUT)
        played = gr.Video(label='The clip and its prototypes', loop=True, elem_id='prototypes-played', **OUTPUT)
        features = gr.Video(
            label="The clip and the encoder's features", loop=True, height=300, elem_id='prototypes-features', **OUTPUT
        )
        sample.click(lambda: str(self.sample.video), None, video, show_progress='hidden')
        run.click(self.sessions.expect, queue=False).then(
            told(self.run),
            [video, number, top, interval],
            [picture, played, features, summary],
            concurrency_id='work',
            show_progress_on=picture,
        )
        stop.click(self.sessions.cancel, queue=False)
