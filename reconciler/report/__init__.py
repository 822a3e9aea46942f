"""Answers as strings: pure functions from values to text, JSON and Markdown. Nothing here prints."""
