"""The page of the web app, and its server."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import gradio as gr

from mmsigma.app.align import AlignTab
from mmsigma.app.prototypes import PrototypesTab
from mmsigma.app.samples import SampleVideo, make_samples
from mmsigma.app.search import SearchTab
from mmsigma.app.segment import SegmentTab
from mmsigma.app.sessions import Sessions
from mmsigma.app.settings import Models, Settings
from mmsigma.datasets.videos.video_dataset import find_videos

_KEPT = 3600  # seconds that files of visitors are kept, at most
_FONT = ['system-ui', '-apple-system', 'Segoe UI', 'Roboto', 'sans-serif']
_MONO = ['ui-monospace', 'Menlo', 'Consolas', 'monospace']
_CSS = """
.gradio-container { max-width: 1200px !important; margin: 0 auto; }
.gradio-container video { max-height: 60vh; }
.output [data-testid="block-label"] { position: static !important; width: fit-content; }
.output img { width: 100%; max-height: 70vh; object-fit: contain; }
.output .thumbnail-item { aspect-ratio: auto !important; }
.output .caption-label { white-space: normal; max-width: 100%; }
#search-found, #search-found .grid-wrap { height: auto !important; max-height: none !important; }
@media (max-width: 480px) {
  .tab-container button { padding: 0 8px; font-size: 13px; }
  .output .grid-container { grid-template-columns: 1fr !important; }
}
button[aria-label="Trim video to selection"] { display: none; }
code { overflow-wrap: anywhere; white-space: pre-wrap; }
"""


def build_page(models: Models, sessions: Sessions, samples: list[SampleVideo]) -> gr.Blocks:
    """Build the page.

    Args:
        models: Models of the app.
        sessions: Visitors of the app.
        samples: Videos for a first try; the first and the last one show the same action.
    """
    with gr.Blocks(title='mmsigma', analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as page:
        gr.Markdown('# mmsigma\nSelf-supervised video models, tried on videos of your own.')
        tabs: dict[str, SegmentTab | AlignTab | SearchTab | PrototypesTab] = {
            'Segment': SegmentTab(models, sessions, samples[0]),
            'Align': AlignTab(models, sessions, (samples[0], samples[-1])),
            'Search': SearchTab(models, sessions, samples),
            'Prototypes': PrototypesTab(models, sessions, samples[0]),
        }
        with gr.Tabs():
            for name, tab in tabs.items():
                with gr.Tab(name):
                    tab.build()
        page.unload(sessions.forget)
    return page


@contextmanager
def serve(
    settings: Settings,
    host: str = '127.0.0.1',
    port: int | None = 7860,
    num_samples: int = 5,
    say: Callable[[str], None] = lambda message: None,
) -> Iterator[str]:
    """Serve the app while the context is open; all files of its visitors are deleted when it closes.

    Args:
        settings: What the app is started with.
        host: Address to listen on; ``'0.0.0.0'`` is open to the network.
        port: Port; None for a free one.
        num_samples: Number of videos to generate, at least 5.
        say: Function that is called with what takes time.

    Yields:
        Address of the page.

    Raises:
        FileNotFoundError: If a config, checkpoint or folder does not exist.
        OSError: If the port is taken.
        ValueError: If a config is unsuitable, or the size of uploads is not one.
    """
    if settings.videos is not None:  # before anything takes time
        find_videos(settings.videos, 'give --videos a folder')
    with Sessions() as sessions, mock.patch.dict(os.environ, _environment(sessions.uploads)):
        say(f'Generating {num_samples} sample videos')
        samples = make_samples(sessions.root / 'samples', num_samples)
        page = build_page(Models(settings, sessions.root), sessions, samples)
        theme: Any = gr.themes.Default(font=_FONT, font_mono=_MONO)
        try:
            _, address, _ = page.queue(default_concurrency_limit=4).launch(
                server_name=host,
                server_port=port,
                max_file_size=settings.max_upload,
                prevent_thread_lock=True,
                quiet=True,
                ssr_mode=False,
                share=False,
                run_history=False,
                enable_monitoring=False,
                footer_links=[],
                theme=theme,
                css=_CSS,
            )
            yield address
        finally:
            page.close(verbose=False)


def _environment(uploads: Path) -> dict[str, str]:
    """Return the variables that keep Gradio's files in a folder and Gradio off the network."""
    return dict(GRADIO_TEMP_DIR=str(uploads), GRADIO_ANALYTICS_ENABLED='False', HF_HUB_DISABLE_TELEMETRY='1')
