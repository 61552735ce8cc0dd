"""Nouns and rules: what a run, an input, a grant and an audit record are. Standard library only; no I/O, no clock."""
