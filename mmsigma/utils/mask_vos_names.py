"""Parameter names of the released Mask-VOS and DUL models, and ours."""

from collections.abc import Iterable

# ours to theirs; the first prefix that fits counts
_KEY_ENCODER = {
    'reduce.': 'backbone.down_dim4.block.',
    'backbone.': 'backbone.',
    'skip8.': 'down_dim3.block.',
    'skip4.': 'down_dim2.block.',
    'key.0.': 'emb_q.conv1.',
    'key.1.': 'emb_q.bn1.',
    'key.3.': 'emb_q.conv2.',
}
_MASK_ENCODER = {
    'reduce.': 'backbone.down_dim.',
    'backbone.': 'backbone.',
    'block1.': 'fuser.block1.',
    'block2.': 'fuser.block2.',
    'attention.mlp.0.': 'fuser.attention.ChannelGate.mlp.1.',
    'attention.mlp.2.': 'fuser.attention.ChannelGate.mlp.3.',
    'attention.spatial.': 'fuser.attention.SpatialGate.spatial.conv.',
}
_DECODER = {
    'compress.': 'compress.',
    'skip8.': 'up_16_8.skip_conv.',
    'block8.': 'up_16_8.out_conv.',
    'skip4.': 'up_8_4.skip_conv.',
    'block4.': 'up_8_4.out_conv.',
    'pred.': 'pred.',
}
_PARTS = {
    'encoder.': ('fast_net.', _KEY_ENCODER),
    'mask_encoder.': ('mask_encoder.', _MASK_ENCODER),
    'decoder.': ('decoder.', _DECODER),
}


def official_name(name: str) -> str:
    """The released name of a parameter of our model.

    Raises:
        KeyError: If there is none.
    """
    for prefix, (theirs, table) in _PARTS.items():
        if name.startswith(prefix):
            rest = name.removeprefix(prefix)
            for ours, official in table.items():
                if rest.startswith(ours):
                    return theirs + official + rest.removeprefix(ours)
    raise KeyError(name)


def from_official(names: Iterable[str], own_names: Iterable[str]) -> dict[str, str]:
    """Which released name each of our parameters has, of those that are in the file."""
    present = {name.removeprefix('module.'): name for name in names}
    pairs = ((name, official_name(name)) for name in own_names)
    return {name: present[official] for name, official in pairs if official in present}
