# What an untrained network reaches: the floor of every other row. No checkpoint.
_base_ = ['r18_davis17.py']

weights_in_config = True
