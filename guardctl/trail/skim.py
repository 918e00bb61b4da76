"""Pass over records of other services without parsing them, where it is sure that they are some.

A run of text that begins where a record begins is boiled down to its skeleton: strings, numbers and
names go, what stays is how objects and lists are nested, where an object has an `eventSource` that
is a text, and where the text stands that parts two records. All of it is done by a few searches and
replacements over the whole run, which is about twice as fast as parsing it.

Why the skeleton is right, as far as the run is JSON: a quotation mark that no backslash escapes
begins or ends a string, and one that a letter follows begins one, for after a string's end comes
none. So a separator or a key, which have such a mark, cannot be inside of a string. Escapes are
taken out from left to right, before strings are told apart. No raw control character is in JSON,
so two of them can stand for what is to be kept.

What is not JSON is told apart by the parser, which reads on where a run ends: a run never holds the
service's name, so none of its records is lost, however broken the file.
"""

import re

SERVICE = '"secretsmanager.amazonaws.com"'  # as it is written where it is an event source

# Between two records: their braces, and the first key of the second.
BOUNDARY = re.compile(r'\}[ \t\r\n,]{0,80}\{[ \t\r\n]{0,80}"[A-Za-z][A-Za-z-]{0,60}"')

_DEEPEST = 20  # levels of nesting within a record; what is deeper is parsed
_KEY = b'"eventSource"'
_TEXT = re.compile(rb'[ \t\r\n]*:[ \t\r\n]*"')
# Not a letter or a dot as an escape: perhaps the service's name, or the key, in disguise.
_ESCAPE = re.compile(rb"(?s)\\(?!u00(?:2[eE]|[4-7])).")
_SOURCE, _NEXT = b"\x01", b"\x02"
_KEPT = b'{}[]"' + _SOURCE + _NEXT
_BRACES = bytes.maketrans(b"[]", b"{}")
_REST = bytes(byte for byte in range(256) if byte not in _KEPT)
_STRING = re.compile(rb'"[^"]*"')


def _record() -> re.Pattern[bytes]:
    """One record's skeleton: a text for its event source once, and whatever else it holds."""
    inner = rb"[\x01\x02]"
    for _ in range(_DEEPEST):
        inner = rb"(?:[\x01\x02]|\{" + inner + rb"*+\})"
    nested = rb"\{" + inner + rb"*+\}"
    return re.compile(rb"\{(?:" + nested + rb")*+\x01(?:" + nested + rb")*+\}(?:\x02(?=\{)|\Z)")


_RECORD = _record()


def count_of_others(run: str, separator: str) -> int:
    """How many records of other services a run of text is, or 0 where that is not sure.

    Args:
        run: text from where a record begins to where `separator` stands, its brace included. It
            does not hold `SERVICE`.
        separator: a text that `BOUNDARY` matches, and that parts the records.
    """
    text = run.encode()
    if _SOURCE in text or _NEXT in text:
        return 0
    text = _ESCAPE.sub(b"_", text)
    if b"\\" in text:
        return 0  # a letter as an escape
    before, *sources = text.rsplit(_KEY)  # from the right, which is quicker for these two
    if not sources or not all(map(_TEXT.match, sources)):
        return 0  # an event source that is no text
    text = _SOURCE.join([before, *(source.lstrip(b" \t\r\n:") for source in sources)])
    text = (b"}" + _NEXT + b"{").join(text.rsplit(separator.encode()))
    skeleton = _STRING.sub(b"", text.translate(_BRACES, _REST).replace(b'""', b""))
    rest, count = _RECORD.subn(b"", skeleton)
    return 0 if rest else count
