"""The only room that knows SQL: reading, bulk writing, migrations, the trail, and the embedded server."""
