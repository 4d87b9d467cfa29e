"""Files that converters read, and lists that they write."""

from pathlib import Path

from mmsigma.datasets import VideoDataset


def write(path: Path, content: str | bytes = b'') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(root: Path, name: str) -> list[tuple[str, int]]:
    """Paths and labels as the dataset sees them; every file has to be there."""
    dataset = VideoDataset([], f'{name}.txt', data_root=str(root), data_prefix=dict(video=''))
    samples = [dataset[index] for index in range(len(dataset))]
    assert all(Path(sample['filename']).is_file() for sample in samples)
    return [(Path(sample['filename']).relative_to(root).as_posix(), sample['label']) for sample in samples]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
