"""Charades and UCFRep, the tasks of the SEVERE benchmark that have annotations of their own."""
