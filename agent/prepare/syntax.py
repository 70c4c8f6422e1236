"""What a YAML parser complains about, in the words of somebody who mends it."""

import re
from typing import Final

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from agent.prepare.source import TAB_FIX, BrokenFileError, Mark, Source, broken

QUOTE: Final = "check the indentation of this line, or put the text between quotes"
ALIGN: Final = "use the same number of spaces at the start of the line as its neighbours"

# what was opened and never closed is shown where it was opened
_OPEN: Final = r"found unexpected end of stream|got '<stream end>'"
# parser's words → (sentence, fix); the first that matches counts
_SENTENCES: Final = (
    (r"found character '\\t'", "a Tab character stands here; YAML only accepts spaces", TAB_FIX),
    (r"expected <block end>, but found '<block", "this line does not line up with the ones above",
     ALIGN),
    (r"expected <block end>, but found '<scalar", "there is text behind the closing quote",
     "put the whole text between quotes, or delete the rest"),
    (r"found unexpected end of stream|found unexpected document", "the closing quote is missing",
     "a quoted text ends with the same quote as it begins with"),
    (r"could not find expected ':'", "a ':' is missing behind the name on this line",
     "write  name: value"),
    (r"expected alphabetic or numeric",
     "& and * have a special meaning in YAML and are not used here",
     "write the value out, or put the text between quotes"),
    (r"found character '(.)'", "a text cannot begin with this character",
     "put the text between quotes"),
    (r"found unknown escape|expected escape sequence|chr\(\)",
     "\\ has a special meaning between double quotes", "use single quotes"),
    (r"expected ',' or '[}\]]'", "a ',' or a closing '}' is missing",
     "write it like  {every: 1s, min: 0}"),
    (r"but found '[}\],]'", "there is no opening '{' for this", "delete it"),
)  # fmt: skip


def translate(source: Source, error: YAMLError | ValueError) -> BrokenFileError:
    """The parser's error as a problem of the file."""
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    found = str(getattr(error, "problem", None) or error)
    if re.search(_OPEN, found) and isinstance(error, MarkedYAMLError):
        mark = error.context_mark or mark
    line = min(mark.line if mark else 0, len(source.lines) - 1)
    place = Mark(line + 1, (mark.column if mark else 0) + 1)
    if "mapping values are not allowed" in found:
        return _colon(source, place)
    if "could not find expected ':'" in found:
        place = _above(source, place)
    for pattern, message, fix in _SENTENCES:
        if re.search(pattern, found):
            return broken(source, place, message, fix, "syntax")
    return broken(source, place, "this line cannot be understood", QUOTE, "syntax")


def _colon(source: Source, place: Mark) -> BrokenFileError:
    """Either a second ':' on the line, or a line that stands too far to the right."""
    before = source.lines[place.line - 1][: place.column - 1]
    if re.fullmatch(r" *[\w-]+", before):
        start = Mark(place.line, len(before) - len(before.lstrip()) + 1)
        message = "this line does not line up with the ones above"
        return broken(source, start, message, ALIGN, "indentation")
    return broken(source, place, "unexpected ':' here", QUOTE, "colon")


def _above(source: Source, place: Mark) -> Mark:
    """The scanner notices a missing ':' only at the start of what follows."""
    number = place.line - 1
    while number > 1 and not source.lines[number - 1].split("#")[0].strip():
        number -= 1
    line = source.lines[max(number, 1) - 1]
    text = line.strip()
    return Mark(max(number, 1), len(line) - len(line.lstrip()) + 1, max(len(text), 1))
