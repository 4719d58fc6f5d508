"""Serves one of the bots for Slack's requests; the secrets are SLACK_BOT_TOKEN and SLACK_SIGNING_SECRET."""

from __future__ import annotations

from tests.acceptance.compare.bolt.echo import app

if __name__ == "__main__":
    app.start(port=8080)
