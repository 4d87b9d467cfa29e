"""What a visitor of the web app has: folders of results, and work that can be cancelled."""

import html
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from types import TracebackType
from typing import Any

import gradio as gr

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.io.video import FrameReader

Step = Callable[[int, int], None]
"""Function that is called with the number of finished steps and their total."""
OUTPUT: dict[str, Any] = dict(interactive=False, buttons=[], elem_classes='output')
"""Settings of components that show results; the page's style puts their titles above them."""


class Cancelled(Exception):
    """The visitor has cancelled the work, or has left."""


class Sessions(AbstractContextManager['Sessions']):
    """Temporary files and running work, by visitor; everything is deleted at the end.

    Attributes:
        root: Folder of everything.
        uploads: Folder in which Gradio keeps what it receives and shows.
    """

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix='mmsigma_app_')
        self.root = Path(self._folder.name)
        self.uploads = self.root / 'uploads'
        self._cancelled: dict[str, Event] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for event in self._cancelled.values():
            event.set()
        self._folder.cleanup()

    def folder(self, request: gr.Request, use: str) -> Path:
        """Return an empty folder for the results of a use; those of before are deleted."""
        path = self.root / 'results' / str(request.session_hash) / use
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def start(self, request: gr.Request, progress: Callable[..., Any], about: str, unit: str = 'frames') -> Step:
        """Begin work of a visitor.

        Args:
            request: Of the visitor.
            progress: Gradio's progress bar.
            about: What is done, to be shown beside it.
            unit: What the steps are.

        Returns:
            Function to call after each step, which raises :class:`Cancelled` once :meth:`cancel` was called.
        """
        cancelled = self._cancelled[str(request.session_hash)] = Event()

        def step(done: int, total: int) -> None:
            if cancelled.is_set():
                raise Cancelled(f'{about}: cancelled after {done} of {total} {unit}')
            progress((done, total), desc=about, unit=unit)

        progress((0, None), desc=about, unit=unit)
        return step

    def cancel(self, request: gr.Request) -> None:
        """Let the work of a visitor end with its next step."""
        if event := self._cancelled.get(str(request.session_hash)):
            event.set()

    def forget(self, request: gr.Request) -> None:
        """Cancel the work of a visitor who has left, and delete the results."""
        self.cancel(request)
        self._cancelled.pop(str(request.session_hash), None)
        shutil.rmtree(self.root / 'results' / str(request.session_hash), ignore_errors=True)


def open_upload(path: str | None, max_seconds: float, what: str = 'a video') -> FrameReader:
    """Open a video of a visitor.

    Raises:
        ValueError: If there is none, it cannot be read, or it is too long.
    """
    if path is None:
        raise ValueError(f'choose {what} first')
    video = FrameReader(path)
    seconds = len(video) / video.fps
    if seconds > max_seconds:
        raise ValueError(
            f'{video.path.name} lasts {seconds:.0f} s, and videos may last up to {max_seconds:g} s here: cut it, or '
            'start the app with a larger --max-seconds'
        )
    return video


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Tell a visitor why something was not done, instead of raising an error; what is shown stays as it is."""

    @wraps(function)
    def tell(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except Cancelled as error:
            gr.Info(html.escape(str(error)), title='Cancelled')
        except (OSError, ValueError, FloatingPointError, CheckpointError) as error:
            message = str(error)
            for argument in arguments:  # the folder of an upload says nothing to a visitor
                if isinstance(argument, str) and '/' in argument:
                    message = message.replace(argument, Path(argument).name)
            gr.Warning(html.escape(message), title='Not possible', duration=20)
        return gr.skip()

    return tell
