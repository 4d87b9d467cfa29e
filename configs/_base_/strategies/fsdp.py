# Shards parameters, gradients and the optimiser's state over the processes (FSDP2); add to `_base_`. See
# docs/scaling.md.
strategy = dict(type='FullySharded', units=['TransformerBlock'])
