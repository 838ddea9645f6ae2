"""How samples are cut into players, and to whom the numbers of a network's input belong."""

import numpy as np
import pytest

from core.encode import Preprocessing
from core.encode.audio import Frames
from core.encode.text import Tokens
from core.errors import Invalid
from core.explain import Parts, divide
from core.explain.owners import owners


def pictures(resized: tuple[int, int] | None = None) -> Preprocessing:
    return Preprocessing("image", (5, 7, 1), resized, "unit", (0.0,), (255.0,))


def texts(unit: str, max_length: int = 100, lowercase: bool = True) -> Preprocessing:
    vocabulary = ("a", "b", "c", "film", "good", "the") if unit != "byte" else ()
    return Preprocessing.of_texts(Tokens(unit, lowercase, True, max_length, vocabulary))


def test_every_pixel_belongs_to_one_cell() -> None:
    image = np.arange(35, dtype=np.uint8).reshape(1, 5, 7, 1)
    for baseline in ("zeros", "mean", "blur"):
        players = divide(pictures(), image, Parts(grid=3, baseline=baseline))
        alone = players.keep(np.eye(9, dtype=bool))
        none, all_left = players.keep(np.array([[False] * 9, [True] * 9]))
        assert np.array_equal(all_left, image[0])
        changed = (alone != none).sum(0)
        assert changed.max() == 1
        for kept, place in zip(alone, players.places, strict=True):
            y0, x0, y1, x1 = place["box"]
            assert np.array_equal(kept[y0:y1, x0:x1], image[0, y0:y1, x0:x1])
    assert len(divide(pictures(), image, Parts()).places) == 35  # no more cells than pixels


def test_pixels_that_were_resized_belong_to_where_they_were() -> None:
    image = np.zeros((1, 5, 7, 1), np.uint8)
    players = divide(pictures((10, 14)), image, Parts(grid=5))
    found = owners(pictures((10, 14)), image, players, (10, 14, 1))[..., 0]
    small = owners(pictures(), image, players, (5, 7, 1))[..., 0]
    assert np.array_equal(found, small.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(
    ("unit", "text", "wanted"),
    [
        ("word", " The film, good! ", ["The", "film", ",", "good", "!"]),
        ("char", "ab  c\u00e9", ["a", "b", "c", "\u00e9"]),
        ("byte", "a\u20ac", ["a", "\u20ac"]),
        ("char", "the film " * 10, ["the", "film"] * 10),
    ],
)
def test_texts_are_cut_into_what_they_are_read_by(unit: str, text: str, wanted: list[str]) -> None:
    sample = texts(unit).from_rows([text])
    players = divide(texts(unit), sample, Parts())
    assert [place["text"] for place in players.places] == wanted
    assert all(text[place["start"] : place["end"]] == place["text"] for place in players.places)
    (whole,) = players.keep(np.ones((1, len(wanted)), bool))
    assert whole == text
    tokens = texts(unit).tokens
    assert tokens is not None
    ids = tokens.encode([text])[0]
    found = owners(texts(unit), sample, players, ids.shape)
    assert found.shape == ids.shape
    assert (np.diff(found) >= 0).all() and set(found) == set(range(len(wanted)))


def test_a_word_that_is_taken_away_leaves_its_neighbours_apart() -> None:
    sample = texts("word").from_rows(["don't"])
    players = divide(texts("word"), sample, Parts())
    (left,) = players.keep(np.array([[True, False, True]]))
    assert left == "don t"
    unknown = divide(texts("word"), sample, Parts(baseline="unknown"))
    (left,) = unknown.keep(np.array([[True, False, True]]))
    tokens = texts("word").tokens
    assert tokens is not None
    assert len(tokens.encode([left])[0]) == 3
    with pytest.raises(Invalid, match="removed"):
        divide(texts("byte"), sample, Parts(baseline="unknown"))


def test_what_the_model_does_not_read_is_no_player() -> None:
    sample = texts("word", 3).from_rows(["the film the good the bad"])
    players = divide(texts("word", 3), sample, Parts())
    assert [place["text"] for place in players.places] == ["the", "film", "the"]
    (left,) = players.keep(np.array([[True, False, True]]))
    assert left.split() == ["the", "the"]


def test_channels_and_steps_of_a_series() -> None:
    reads = Preprocessing("series", (6, 2), None, "none", (0.0, 0.0), (1.0, 1.0), variable=True)
    sample = reads.from_rows([[[one, -one] for one in range(6)]])
    players = divide(reads, sample, Parts(segments=3, channels=True, baseline="zeros"))
    (kept,) = players.keep(np.array([[False, False, False, True, False, False]]))
    assert kept.tolist() == [[0, 0], [0, 0], [0, -2], [0, -3], [0, 0], [0, 0]]
    assert players.places[3] == {"start": 2, "end": 4, "channel": 1}
    assert owners(reads, sample, players, (6, 2)).tolist() == [[0, 1], [0, 1], [2, 3], [2, 3], [4, 5], [4, 5]]
    with pytest.raises(Invalid, match="at most 256"):
        wide = Preprocessing("series", (64, 8), None, "none", (0.0,) * 8, (1.0,) * 8)
        divide(wide, np.zeros((1, 64, 8), np.float32), Parts(segments=64, channels=True))


def test_frames_of_a_recording_belong_to_the_moment_of_their_middle() -> None:
    frames = Frames(rate=1000, mels=4, window=20, hop=10)
    reads = Preprocessing.of_recordings(np.ones((2, 100), np.int16), frames, "none", 100)
    sample = reads.from_rows([[7] * 100])
    players = divide(reads, sample, Parts(segments=2))
    assert players.places == [{"start": 0.0, "end": 0.05}, {"start": 0.05, "end": 0.1}]
    (kept,) = players.keep(np.array([[False, True]]))
    assert kept.tolist() == [0] * 50 + [7] * 50
    assert owners(reads, sample, players, (9, 4)).ravel().tolist() == [0] * 4 + [1] * 5
