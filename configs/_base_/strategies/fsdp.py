# Shards parameters, gradients and optimiser state over the processes (FSDP); add to `_base_`. See docs/scaling.md.
strategy = dict(
    type='FSDPStrategy',
    # complete checkpoints, as without sharding, instead of one file per process
    state_dict_cfg='full',
    model_wrapper=dict(
        type='mmengine.MMFullyShardedDataParallel',
        use_orig_params=True,
        auto_wrap_policy='mmsigma.every_transformer_block',
    ),
)
