"""What tells a model: identify registers of profiles, FC 43 and SunSpec. Pure."""
