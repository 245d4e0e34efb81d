"""The database: Drizzle's migrations, run safely.

What this room needs to migrate (all but `lint` and `generate`) imports psycopg, `ops.errors` and `ops.secret` and nothing
else, since it is also the db-migrate image: `python -m ops.database migrate`.
"""
