"""How settings are declared and read; the settings themselves stand in the `settings.py` of each room."""
