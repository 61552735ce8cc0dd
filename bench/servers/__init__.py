"""The sides of each comparison, each a program of its own: the whole bot, and what it is compared with."""
