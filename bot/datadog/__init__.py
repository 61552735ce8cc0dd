"""Everything that speaks Datadog, and nothing that knows Slack or the database."""
