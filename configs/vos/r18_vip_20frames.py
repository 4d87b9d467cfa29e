# VIP with 20 previous frames, as VFS has it.
_base_ = ['r18_vip.py']

model = dict(propagator=dict(num_context=20))
