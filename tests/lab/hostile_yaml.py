"""Documents that hurt configuration loaders: what is refused, and what is kept as text."""

from typing import NamedTuple

TEXT_LIMIT, DEPTH_LIMIT = 256_000, 20  # what the product promises


class Document(NamedTuple):
    """One text; `wanted` is what comes of it, or None when it is to be refused."""

    name: str
    text: str
    wanted: dict[str, str] | None = None


def _bomb() -> str:
    lol = ",".join(['"lol"'] * 10)
    rows = [f"a0: &a0 [{lol}]"]
    return "\n".join(rows + [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)])


def _merges() -> str:
    keys = ", ".join(f"k{i}: 1" for i in range(100))
    rows = [f"b{i}: {{<<: [{','.join(['*a'] * 10)}]}}" for i in range(100)]
    return "\n".join([f"a: &a {{{keys}}}", *rows])


DEEP = DEPTH_LIMIT + 5
REFUSED = (
    Document("alias bomb", _bomb()),
    Document("merge key bomb", _merges()),
    Document("alias to itself", "a: &a [*a]"),
    Document("lists, deeper than allowed", "[" * DEEP + "]" * DEEP),
    Document("blocks, deeper than allowed", "{a: " * DEEP + "b" + "}" * DEEP),
    Document("nesting 1000", "[" * 1000 + "]" * 1000),
    Document("nesting 100000, open", "[" * 100_000),
    Document("blocks 60000, open", "{a: " * 60_000),
    Document("questions 100000", "? " * 100_000),
    Document("larger than allowed", "- 12345\n" * (TEXT_LIMIT // 8 + 1)),
    Document("duplicate key", "a: 1\na: 2"),
    Document("duplicate key, quoted otherwise", 'a: 1\n"a": 2'),
    Document("object tag", "!!python/object/apply:os.system [id]"),
    Document("unknown tag", "a: !secret b"),
    Document("two documents", "a: 1\n---\na: 2"),
    Document("tab as indentation", "a:\n\tb: 1"),
    Document("half a file", 'site:\n  name: "Pump hou'),
    Document("NUL inside", "a: b\0c"),
    Document("NUL, escaped", 'a: "b\\0c"'),
    Document("not UTF-8 (surrogate)", "a: \udcff"),
    Document("surrogate, escaped", 'a: "\\ud800"'),
    Document("beyond Unicode, escaped", 'a: "\\U00110000"'),
    Document("text that reads backwards", "a: \u202egro.live"),
    Document("line end that editors do not show", "a: b\u2028c: d"),
    Document("not a mapping", "- a\n- b"),
    Document("nothing", "# only a comment"),
    Document("one word", "yes"),
    Document("directive", "%YAML 1.1\n---\na: no"),
    Document("block as a key", "? {a: b}\n: c"),
)
KEPT = (
    Document("integer of 100000 digits", "a: " + "9" * 100_000, {"a": "9" * 100_000}),
    Document("base 60", "a: 1" + ":59" * 20_000, {"a": "1" + ":59" * 20_000}),
    Document("a country", "a: no", {"a": "no"}),
    Document("a clock time", "a: 12:30", {"a": "12:30"}),
    Document("a hardware address", "a: 10:20:30:40:50:59", {"a": "10:20:30:40:50:59"}),
    Document("a version", "a: 1.10", {"a": "1.10"}),
    Document("a leading zero", "a: 010", {"a": "010"}),
    Document("an exponent", "a: 1e3", {"a": "1e3"}),
    Document("digits with underscores", "a: 1_000", {"a": "1_000"}),
    Document("infinity", "a: .inf", {"a": ".inf"}),
    Document("a date", "a: 2026-11-23", {"a": "2026-11-23"}),
)
DOCUMENTS = (*REFUSED, *KEPT)
