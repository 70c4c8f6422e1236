"""fieldpost: field devices in, every sample kept, the cloud gets all of it."""

__version__ = "0.1.0"
