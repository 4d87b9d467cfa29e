"""Temporary files, cancelling, limits, and what visitors are told."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmsigma.app import page
from mmsigma.app.sessions import Cancelled, Sessions, open_upload, told
from mmsigma.checkpoints.files import load_checkpoint_file
from mmsigma.io.video import write_playable
from tests.app.conftest import Bar, paths_below
from tests.scripts import Result
from tests.vos_data import draw_video


def test_files_are_deleted(request_of: Any) -> None:
    other = SimpleNamespace(session_hash='other')
    with Sessions() as sessions:
        for visitor in (request_of, other):
            (sessions.folder(visitor, 'align') / 'old.txt').write_text('old')
        assert not paths_below(sessions.folder(request_of, 'align'))  # each run begins with an empty one
        assert [path.name for path in paths_below(sessions.root)] == ['old.txt']
        sessions.forget(other)
        assert not paths_below(sessions.root)
        root = sessions.root
    assert not root.exists()


def test_work_is_cancelled(sessions: Sessions, request_of: Any, bar: Bar) -> None:
    sessions.cancel(request_of)  # of nothing
    step = sessions.start(request_of, bar, 'Segmenting')
    step(1, 9)
    sessions.cancel(SimpleNamespace(session_hash='other'))
    step(2, 9)
    assert bar.seen == [((done, total), 'Segmenting') for done, total in ((0, None), (1, 9), (2, 9))]
    sessions.cancel(request_of)
    with pytest.raises(Cancelled, match='Segmenting: cancelled after 3 of 9 frames'):
        step(3, 9)
    with pytest.raises(Cancelled, match='Drawing: cancelled$'):  # the next part of the same work
        sessions.start(request_of, bar, 'Drawing')
    sessions.expect(request_of)
    sessions.start(request_of, bar, 'Again')(1, 2)


def test_work_is_cancelled_before_its_turn(sessions: Sessions, request_of: Any, bar: Bar) -> None:
    sessions.expect(request_of)
    sessions.cancel(request_of)
    with pytest.raises(Cancelled, match='Segmenting: cancelled$'):
        sessions.start(request_of, bar, 'Segmenting')


def test_work_is_cancelled_within_a_step(sessions: Sessions, request_of: Any, bar: Bar) -> None:
    network, done = torch.nn.Linear(3, 3), []
    with pytest.raises(Cancelled, match='cancelled after 1 of 9 frames'):
        with sessions.start(request_of, bar, 'Segmenting') as step:
            step(1, 9)
            for number in range(5):
                done.append(network(torch.ones(2, 3)))
                if number == 2:
                    sessions.cancel(request_of)
    assert len(done) == 3
    torch.testing.assert_close(network(torch.ones(2, 3)), done[0])  # outside, nothing looks


def test_a_file_that_is_loaded_meanwhile_is_not_to_blame(
    sessions: Sessions, request_of: Any, bar: Bar, tmp_path: Path
) -> None:
    """Handlers of whatever a damaged file may cause let it pass."""
    torch.save(dict(state_dict=dict(weight=torch.ones(3))), tmp_path / 'good.pth')
    with pytest.raises(Cancelled, match='Loading: cancelled'):
        with sessions.start(request_of, bar, 'Loading'):
            sessions.cancel(request_of)
            load_checkpoint_file(tmp_path / 'good.pth')


def test_visitors_who_leave_cancel(sessions: Sessions, request_of: Any, bar: Bar) -> None:
    step = sessions.start(request_of, bar, 'Segmenting')
    sessions.forget(request_of)
    with pytest.raises(Cancelled):
        step(1, 9)


def test_limits_of_videos(tmp_path: Path) -> None:
    path = tmp_path / 'long.mp4'
    write_playable(path, draw_video(12)[0], fps=4)
    assert len(open_upload(str(path), 3)) == 12
    with pytest.raises(ValueError, match='long.mp4 lasts 3 s, and videos may last up to 2.5 s here: cut it'):
        open_upload(str(path), 2.5)
    with pytest.raises(ValueError, match='choose a video first'):
        open_upload(None, 3)


def test_visitors_are_told(messages_told: list[str], tmp_path: Path) -> None:
    def open_it(path: str) -> None:
        raise ValueError(f'{path} is <b>not</b> a video')

    assert told(open_it)(str(tmp_path / 'a.mp4')) == {'__type__': 'update'}
    assert messages_told == ['a.mp4 is &lt;b&gt;not&lt;/b&gt; a video']

    def break_down() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):  # a fault of ours is no message
        told(break_down)()


def test_the_app_is_ended_like_an_interruption(
    run_tool: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By systemd, docker and kill: the files of visitors are deleted in any case."""
    folders = []

    @contextmanager
    def serve(*_: object, **__: object) -> Iterator[str]:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
        with Sessions() as sessions:
            folders.append(sessions.root)
            yield 'nowhere'

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(page, 'serve', serve)
    try:
        done = run_tool('tools/app.py')
    finally:
        signal.signal(signal.SIGTERM, before)
    assert done.status == 130 and 'interrupted' in done.errors and len(folders) == 1 and not folders[0].exists()
