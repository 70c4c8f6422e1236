"""The embedded instruments: what stands in a small bakery, speaking the real wires.

`site` knows what is physically going on, `meters`, `lines` and `adverts` put it into registers,
text and advertisements (pure), `bus`, `printer` and `radio` carry those over ptys, TCP and D-Bus.
"""
