"""Drawing what models see and do."""
