"""A multipart/form-data body (RFC 7578) as a series of steps, parsed as its pieces arrive."""

from dataclasses import dataclass
from typing import Literal

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import Invalid, UnsupportedMedia

MEDIA_TYPE = "multipart/form-data"


@dataclass(frozen=True)
class Step:
    """A part begins, goes on, or ends. Only one with a ``filename`` is a file."""

    kind: Literal["begin", "data", "end"]
    name: str = ""
    filename: str | None = None
    data: bytes = b""


class Parts:
    """Feed it the pieces of a body."""

    def __init__(self, content_type: str) -> None:
        """UnsupportedMedia: the Content-Type is that of something else, or lacks its boundary."""
        kind, options = parse_options_header(content_type)
        if kind != MEDIA_TYPE.encode() or b"boundary" not in options:
            raise UnsupportedMedia(f"send {MEDIA_TYPE} with its boundary; the files are the parts named file")
        self.whole = False
        self._steps: list[Step] = []
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_end,
                    "on_headers_finished": self._headers_finished,
                    "on_part_data": self._data,
                    "on_part_end": lambda: self._steps.append(Step("end")),
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise UnsupportedMedia(str(error)) from error

    def feed(self, piece: bytes) -> list[Step]:
        """The steps that this piece completes. Invalid: it breaks the rules of such a form."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise Invalid(f"the form is broken: {error}") from error
        steps, self._steps = self._steps, []
        return steps

    def _begin(self) -> None:
        self._headers = {}

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise Invalid("the form is broken: a part has no name")
        filename = options.get(b"filename")
        shown = None if filename is None else filename.decode(errors="replace")
        self._steps.append(Step("begin", options[b"name"].decode(errors="replace"), shown))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._steps.append(Step("data", data=data[start:end]))

    def _end(self) -> None:
        self.whole = True
