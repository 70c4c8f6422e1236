"""Points become requests that the device takes, for the least line time."""

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.layout import Field, block_of
from drivers.modbus.merge import Cost, Limits, merge
from drivers.modbus.plan import Order, Table

LINE = Cost(request=0.05, register=0.002)
WIDTHS = {"H": 1, "h": 1, "I": 2, "f": 2, "Q": 4, "d": 4, "10s": 5}

fields = st.lists(
    st.builds(
        lambda table, at, code, order: (table, at, code, order),
        st.sampled_from([Table.HOLDING, Table.INPUT]),
        st.integers(0, 300),
        st.sampled_from(sorted(WIDTHS)),
        st.sampled_from(list(Order)),
    ),
    min_size=1,
    max_size=25,
).map(
    lambda rows: [
        Field(f"p{i}", table, at, code, WIDTHS[code], order)
        for i, (table, at, code, order) in enumerate(rows)
    ]
)
limits = st.builds(
    Limits,
    block=st.integers(5, 125),
    hole=st.integers(0, 40),
    forbidden=st.sampled_from([{}, {Table.HOLDING: [(100, 120), (250, 250)]}]),
)


@given(fields, limits)
def test_every_request_is_one_the_device_takes(wanted: list[Field], allowed: Limits) -> None:
    forbidden = (allowed.forbidden or {}).get(Table.HOLDING, ())
    for group in merge(wanted, LINE, allowed):
        block = block_of(group)
        assert block.count <= max(allowed.block, *(f.count for f in group))
        read = {a for f in group for a in range(f.at, f.end)}
        holes = set(range(block.start, block.start + block.count)) - read
        if block.table is Table.HOLDING:
            assert not holes & {a for low, high in forbidden for a in range(low, high + 1)}


@given(st.lists(st.integers(0, 200), min_size=1, max_size=9, unique=True), limits)
def test_no_other_cut_is_cheaper(addresses: list[int], allowed: Limits) -> None:
    wanted = [Field(f"p{a}", Table.INPUT, a, "H") for a in sorted(addresses)]

    def price(cuts: tuple[int, ...]) -> float:
        edges = [0, *cuts, len(wanted)]
        total = 0.0
        for low, high in pairwise(edges):
            run = wanted[low:high]
            span = run[-1].end - run[0].at
            gaps = [b.at - a.end for a, b in pairwise(run)]
            if span > allowed.block or max(gaps, default=0) > allowed.hole:
                return float("inf")
            total += LINE.request + LINE.register * span
        return total

    every = [c for n in range(len(wanted)) for c in combinations(range(1, len(wanted)), n)]
    groups = merge(wanted, LINE, allowed)
    cut = [sum(map(len, groups[:n])) for n in range(1, len(groups))]
    assert abs(price(tuple(cut)) - min(map(price, every))) < 1e-9


def test_the_registers_of_a_meter_are_one_request() -> None:
    wanted = [Field(f"p{n}", Table.INPUT, n, "f", 2) for n in (0, 6, 12, 70, 72)]
    groups = merge(wanted, LINE, Limits(hole=32))
    assert [[f.at for f in g] for g in groups] == [[0, 6, 12], [70, 72]]
