"""Checkpoints of TensorFlow."""

from pathlib import Path

import numpy as np
import pytest

from mmsigma.io.tensorflow.tensor_bundle import bundle_prefix, read_bundle, read_bundle_index
from tests.tensorflow_files import write_bundle

GOLDEN = Path(__file__).resolve().parents[2] / 'golden' / 'tensorflow'


class TestBundles:
    def test_what_tensorflow_wrote(self) -> None:
        expected = np.load(GOLDEN / 'checkpoint.npz')
        found = read_bundle(GOLDEN / 'checkpoint')
        assert {name.replace('/', '|') for name in found} == set(expected.files)
        for name, tensor in found.items():
            truth = expected[name.replace('/', '|')]
            assert tensor.dtype == truth.dtype and np.array_equal(tensor, truth)
        num_shards, entries = read_bundle_index(GOLDEN / 'checkpoint.index')
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
