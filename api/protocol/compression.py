"""Compressed bodies of requests, unpacked within the limit that holds for plain ones."""

import zlib

from core.errors import Invalid, TooLarge, UnsupportedMedia

WINDOW = {"gzip": 31, "deflate": 15}
"""What zlib calls them (RFC 9110, 8.4.1): deflate is the zlib format."""


def unpack(encoding: str, data: bytes, most: int) -> bytes:
    """A body by its Content-Encoding ("" or identity: as it is), of at most ``most`` bytes.

    Raises:
        UnsupportedMedia: another encoding.
        TooLarge: it unpacks to more.
        Invalid: it is damaged.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return data
    if encoding not in WINDOW:
        raise UnsupportedMedia(f"Content-Encoding may be gzip or deflate, not {encoding[:64]!r}")
    unpacker = zlib.decompressobj(WINDOW[encoding])
    try:
        whole = unpacker.decompress(data, most + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not {encoding}: {error}") from None
    if len(whole) > most:
        raise TooLarge(f"the body unpacks to more than {most:,} bytes")
    if not unpacker.eof:
        raise Invalid(f"the body is not {encoding}: it is cut off")
    if unpacker.unused_data:
        raise Invalid(f"the body is not {encoding}: {len(unpacker.unused_data)} bytes follow its end")
    return whole
