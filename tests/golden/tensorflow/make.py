"""Writes the files of this folder with TensorFlow 2.x: a checkpoint and records. Run here, they are what tests read."""

import numpy as np
import tensorflow as tf


class Layer(tf.Module):
    """Variables as GTA's layers have them."""

    def __init__(self, **values) -> None:
        super().__init__()
        for name, value in values.items():
            setattr(self, name, tf.Variable(value))


rng = np.random.default_rng(0)
emb = tf.Module()
emb.fc_layers = [
    Layer(kernel=rng.random((3, 4), np.float32), bias=rng.random(4, np.float32)),
    Layer(kernel=rng.random((40, 50), np.float32), bias=rng.random(50, np.float32)),
]
emb.embedding_layer = Layer(kernel=rng.random((4, 2), np.float32), bias=rng.random(2, np.float32))
emb.extra = Layer(
    **{
        f'value_{name}': tf.constant(value)
        for name, value in dict(long=-(2**40), half=np.float16(1.5), double=np.pi, truth=[True, False]).items()
    }
)
checkpoint = tf.train.Checkpoint(emb=emb, step=tf.Variable(7, dtype=tf.int64))
checkpoint.write('checkpoint')
reader = tf.train.load_checkpoint('checkpoint')
names = [name for name in reader.get_variable_to_shape_map() if not name.startswith('_CHECK')]
np.savez_compressed('checkpoint.npz', **{name.replace('/', '|'): reader.get_tensor(name) for name in names})


def ints(values) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def texts(values) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


with tf.io.TFRecordWriter('sequences.tfrecord') as writer:
    for number, length in enumerate((3, 2)):
        frames = [
            tf.io.encode_jpeg(np.full((48, 64, 3), 40 * (number + step), np.uint8)).numpy() for step in range(length)
        ]
        lists = dict(
            video=tf.train.FeatureList(feature=[texts([frame]) for frame in frames]),
            frame_labels=tf.train.FeatureList(feature=[ints([step // 2]) for step in range(length)]),
            weights=tf.train.FeatureList(
                feature=[tf.train.Feature(float_list=tf.train.FloatList(value=[0.5, -2])) for _ in range(length)]
            ),
        )
        example = tf.train.SequenceExample(
            context=tf.train.Features(
                feature=dict(name=texts([b'clip_%d' % number]), len=ints([length]), low=ints([-3]))
            ),
            feature_lists=tf.train.FeatureLists(feature_list=lists),
        )
        writer.write(example.SerializeToString())
