"""Sharded models are optimised as whole ones are."""

from tests.dist.workers import decay_of_parameters, run_ranks, sharding_worker, tiny_sigma


def test_every_block_is_sharded_and_decayed_as_in_one_process(tmp_path):
    expected = decay_of_parameters(tiny_sigma('mlp'))
    assert set(expected.values()) == {0.0, 0.05}
    for decay, units in run_ranks(sharding_worker, 2, tmp_path):
        assert decay == expected
        assert units == ['SIGMA', 'TransformerBlock', 'TransformerBlock']
