"""One file an errand: read what Slack sent, ask one use case, render the answer. Nothing is decided here."""
