"""Verbs, one per file: what the bot does, in the order it does it. No vendor, no SQL, no Slack, no HTTP."""
