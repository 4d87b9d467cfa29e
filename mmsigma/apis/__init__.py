"""Entry points for programs and tools."""
