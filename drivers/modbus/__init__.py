"""Modbus masters: RTU on a serial line, TCP, and RTU frames through TCP."""
