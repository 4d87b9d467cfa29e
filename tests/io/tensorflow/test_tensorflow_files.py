"""Records and checkpoints of TensorFlow: files that it wrote, files of several blocks, damaged files."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmsigma.io.tensorflow.crc32c import crc32c, masked_crc32c
from mmsigma.io.tensorflow.protobuf import fields
from mmsigma.io.tensorflow.tensor_bundle import bundle_prefix, read_bundle, read_index
from mmsigma.io.tensorflow.tfrecord import parse_sequence_example, read_records, read_sequence_examples
from tests.tensorflow_files import field, sequence_example, write_bundle, write_records

GOLDEN = Path(__file__).resolve().parents[2] / 'golden' / 'tensorflow'


def plain_crc(data: bytes) -> int:
    """Bit by bit, by the definition."""
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_checksum() -> None:
    assert crc32c(b'123456789') == 0xE3069283 and crc32c(b'') == 0
    rng = np.random.default_rng(0)
    for size in (1, 5, 2047, 2048, 2049, 8191, 8192, 8193, 30_001):
        data = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
        assert crc32c(data) == crc32c(memoryview(data)) == plain_crc(data), size
    assert masked_crc32c(b'123456789') == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32


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

    def test_messages(self) -> None:
        data = field(3, 300) + field(4, b'ab') + struct.pack('<Bd', 5 << 3 | 1, 1.5)
        number = struct.unpack('<Q', struct.pack('<d', 1.5))[0]
        assert list(fields(data)) == [(3, 300), (4, b'ab'), (5, number)]
        for broken in (b'\x08', b'\x0a\x05ab', b'\x0b', b'\x08' + b'\xff' * 11):
            with pytest.raises(ValueError, match='number|extends beyond|unknown wire type'):
                list(fields(broken))


class TestBundles:
    def test_what_tensorflow_wrote(self) -> None:
        expected = np.load(GOLDEN / 'checkpoint.npz')
        found = read_bundle(GOLDEN / 'checkpoint')
        assert {name.replace('/', '|') for name in found} == set(expected.files)
        for name, tensor in found.items():
            truth = expected[name.replace('/', '|')]
            assert tensor.dtype == truth.dtype and np.array_equal(tensor, truth)
        num_shards, entries = read_index(GOLDEN / 'checkpoint.index')
        assert num_shards == 1 and '_CHECKPOINTABLE_OBJECT_GRAPH' in entries.keys() - found.keys()

    def test_several_blocks_and_data_files(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        tensors = {f'layer_{n}/{"x" * (n % 7)}kernel': rng.random((n % 4, 3), np.float32) for n in range(40)}
        tensors['step'] = np.array(12)
        prefix = write_bundle(tmp_path / 'ckpt-20', tensors, num_shards=3)
        for path in (prefix, f'{prefix}.index', f'{prefix}.data-00001-of-00003'):
            found = read_bundle(path)
            assert found.keys() == tensors.keys()
            assert all(np.array_equal(found[name], tensor) for name, tensor in tensors.items())
        assert read_bundle(prefix, lambda name: name == 'step').keys() == {'step'}

    def test_damaged(self, tmp_path: Path) -> None:
        prefix = write_bundle(tmp_path / 'ckpt', {'a/kernel': np.arange(9.0), 'b': np.arange(3)}, num_shards=1)
        index, data = Path(f'{prefix}.index'), Path(f'{prefix}.data-00000-of-00001')
        whole, numbers = index.read_bytes(), data.read_bytes()
        with pytest.raises(FileNotFoundError, match=r'other\.index is missing'):
            bundle_prefix(tmp_path / 'other')
        data.write_bytes(numbers[:-1])
        with pytest.raises(ValueError, match='b is damaged in data file 0'):
            read_bundle(prefix)
        data.write_bytes(b'\1' + numbers[1:])
        with pytest.raises(ValueError, match='a/kernel is damaged'):
            read_bundle(prefix)
        data.unlink()
        with pytest.raises(FileNotFoundError, match='git lfs'):
            read_bundle(prefix)
        for broken in (whole[:-1], whole[3:], whole[:4] + b'?' + whole[5:], b'version https://git-lfs'):
            index.write_bytes(broken)
            with pytest.raises(ValueError, match='is not the index of a TensorFlow checkpoint'):
                read_bundle(prefix)
