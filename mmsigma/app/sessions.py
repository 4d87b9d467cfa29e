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
from torch.overrides import TorchFunctionMode

from mmsigma.checkpoints.files import CheckpointError
from mmsigma.io.video import FrameReader

Step = Callable[[int, int], None]
"""Function that is called with the number of finished steps and their total."""
OUTPUT: dict[str, Any] = dict(interactive=False, buttons=[], elem_classes='output')
"""Settings of components that show results; the page's style puts their titles above them."""


class Cancelled(BaseException):
    """The visitor has cancelled the work, or has left; not an error, which other code might handle."""


class Work(TorchFunctionMode):
    """Work of a visitor, whose steps are counted, and which ends when it is cancelled.

    It is called after each step. Within its context every operation of torch looks as well, so that it also ends in the
    middle of a step, such as in a large frame.

    Args:
        cancelled: Set once the visitor has cancelled.
        progress: Gradio's progress bar.
        about: What is done, to be shown beside it.
        unit: What the steps are.
    """

    def __init__(self, cancelled: Event, progress: Callable[..., Any], about: str, unit: str) -> None:
        super().__init__()
        self._cancelled, self._progress, self._about, self._unit = cancelled, progress, about, unit
        self._done = ''
        progress((0, None), desc=about, unit=unit)

    def __call__(self, done: int, total: int) -> None:
        """Show that steps are done.

        Raises:
            Cancelled: If the visitor has cancelled.
        """
        self._done = f' after {done} of {total} {self._unit}'
        self.check()
        self._progress((done, total), desc=self._about, unit=self._unit)

    def check(self) -> None:
        """Raise :class:`Cancelled` if the visitor has cancelled."""
        if self._cancelled.is_set():
            raise Cancelled(f'{self._about}: cancelled{self._done}')

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, arguments: Any = (), named: dict[str, Any] | None = None
    ) -> Any:
        self.check()
        return function(*arguments, **(named or {}))


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

    def expect(self, request: gr.Request) -> None:
        """Note that a visitor has asked for work, which may be cancelled before its turn comes."""
        self._cancelled[str(request.session_hash)] = Event()

    def start(self, request: gr.Request, progress: Callable[..., Any], about: str, unit: str = 'frames') -> Work:
        """Begin work of a visitor, or its next part.

        Args:
            request: Of the visitor.
            progress: Gradio's progress bar.
            about: What is done, to be shown beside it.
            unit: What the steps are.

        Returns:
            Function to call after each step, and context of the computation, both of which raise :class:`Cancelled`
            once :meth:`cancel` was called.

        Raises:
            Cancelled: If that was already so.
        """
        work = Work(self._cancelled.setdefault(str(request.session_hash), Event()), progress, about, unit)
        work.check()
        return work

    def cancel(self, request: gr.Request) -> None:
        """Let the work of a visitor end, which is running or waits for its turn."""
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
