"""Everything that speaks Slack. Nothing here decides: it reads, asks a use case, and renders."""
