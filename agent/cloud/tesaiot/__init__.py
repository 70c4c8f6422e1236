"""`kind: tesaiot`: the platform, as it behaves."""
