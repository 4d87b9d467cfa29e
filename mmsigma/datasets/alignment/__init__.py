"""Action videos with phases, and the datasets on which alignment is evaluated."""
