"""What the sessions of `noxfile.py` share: files to check, and the table at the end."""
