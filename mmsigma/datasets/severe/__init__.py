"""Charades and UCFRep, tasks of the SEVERE benchmark with annotations of their own."""
