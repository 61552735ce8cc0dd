"""Workflow Bot: run allow-listed Datadog workflows from Slack, with permission, approval, live progress and an audit trail."""

__version__ = "0.1.0"
