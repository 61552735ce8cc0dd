"""Measures speed. Every figure is a ratio with both sides in one run; nothing here asserts a time.

What may not enter: anything that production imports, and tools from outside. All traffic stays on this machine and every
loop has an end.
"""
