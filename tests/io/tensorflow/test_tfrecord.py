"""TFRecords as TensorFlow writes them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsigma.io.tensorflow.tfrecord import parse_sequence_example, read_records, read_sequence_examples
from tests.tensorflow_files import sequence_example, write_records

GOLDEN = Path(__file__).resolve().parents[2] / 'golden' / 'tensorflow'


class TestRecords:
    def test_what_tensorflow_wrote(self) -> None:
        first, second = read_sequence_examples(GOLDEN / 'sequences.tfrecord')
        assert first.context == dict(name=[b'clip_0'], len=[3], low=[-3])
        assert second.context['name'] == [b'clip_1']
        assert first.lists['frame_labels'] == [[0], [0], [1]] and first.lists['weights'] == [[0.5, -2.0]] * 3
        pictures = [np.asarray(Image.open(io.BytesIO(step[0]))) for step in second.lists['video']]
        assert [picture.mean().round() for picture in pictures] == [40, 80] and pictures[0].shape == (48, 64, 3)

    def test_what_tests_write(self, tmp_path: Path) -> None:
        frames = [[bytes(range(200)) * 100], [b'']]
        record = sequence_example(dict(name=[b'a'], len=[2]), dict(video=frames, frame_labels=[[-1], [2**40]]))
        path = write_records(tmp_path / 'x', [record, record])
        assert [example.lists['video'] for example in read_sequence_examples(path)] == [frames] * 2
        assert parse_sequence_example(record).lists['frame_labels'] == [[-1], [2**40]]

    def test_damaged(self, tmp_path: Path) -> None:
        path = write_records(tmp_path / 'x.tfrecord', [b'first', b'second record'])
        whole = path.read_bytes()
        for data, message in [
            (whole[:-1], r'record 1: the file ends after'),
            (whole[:-9], r'record 1: the file ends after 8 of 13'),
            (whole[:14] + b'?' + whole[15:], 'record 0: the checksum is wrong'),
            (b'\x1f\x8b' + whole[2:], 'record 0: the checksum of the length is wrong'),
            (whole[:25], 'record 1: the checksum of the length is wrong'),
        ]:
            path.write_bytes(data)
            with pytest.raises(ValueError, match=message):
                list(read_records(path))
        with pytest.raises(ValueError, match='record 0 is not a SequenceExample'):
            list(read_sequence_examples(write_records(path, [b'\xff' * 12])))
