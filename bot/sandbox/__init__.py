"""A local Slack and a local Datadog, to try and test the bot against. Production imports none of it."""
