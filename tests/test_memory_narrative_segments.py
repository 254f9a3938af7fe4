"""What is known of a source in words: subtitle files, transcripts and stories, and the segments that they become."""

import gc
import json
import math
import os
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.narrative.ingest.cues import Clock, Cue
from memory.narrative.ingest.segments import tile
from memory.narrative.ingest.subtitles import find_subtitles, read_cues
from memory.narrative.ingest.transcripts import read_transcript
from tools.errors import MediaError, StoreError

Row = tuple[float, float, str]


@pytest.fixture
def told() -> list[str]:
    return []


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(cues: list[Cue]) -> list[Row]:
    return [(cue.start_s, cue.end_s, cue.text) for cue in cues]


def srt(*cues: str) -> str:
    """A SubRip file of cues "seconds seconds words"."""
    blocks = []
    for number, cue in enumerate(cues, 1):
        start, end, words = cue.split(" ", 2)
        blocks.append(
            f"{number}\n00:00:{float(start):06.3f} --> 00:00:{float(end):06.3f}\n{words}\n".replace(".", ",", 2)
        )
    return "\n".join(blocks)


# Subtitle files


def test_srt_is_read_with_lines(tmp_path: Path, told: list[str]) -> None:
    path = put(
        tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,500\nHello\nthere\n\n2\n01:00:03,5 --> 01:00:04,000\nBye\n"
    )
    cues = read_cues(path, told.append)
    assert rows(cues) == [(1.0, 2.5, "Hello there"), (3603.5, 3604.0, "Bye")]
    assert [cue.line for cue in cues] == [2, 7]
    assert {cue.clock for cue in cues} == {"seconds"}
    assert told == []


def test_webvtt_is_read_without_comments_styles_names_and_settings(tmp_path: Path, told: list[str]) -> None:
    text = """WEBVTT - a film
Kind: captions

STYLE
::cue { color: red }

NOTE before

intro
00:01.000 --> 00:02.50 align:start position:10%
Hi &amp; <i>bye</i> &lt;3

NOTE in between
of two lines

second act
00:03.000 --> 00:04.000
How many?
42
"""
    assert rows(read_cues(put(tmp_path, "a.vtt", text), told.append)) == [
        (1.0, 2.5, "Hi & bye <3"),
        (3.0, 4.0, "How many? 42"),
    ]
    assert told == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path: Path, told: list[str], encoding: str, end: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nDéjà vu, naïve – «oui»\n".replace("\n", end)
    assert rows(read_cues(put(tmp_path, "a.srt", text.encode(encoding)), told.append))[0][2] == "Déjà vu, naïve – «oui»"
    assert told == []


def test_latin_1_is_read_and_told(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,000\nIt’s a café\n".encode("cp1252"))
    assert rows(read_cues(path, told.append)) == [(1.0, 2.0, "It’s a café")]
    assert len(told) == 1
    assert "line 3" in told[0]
    assert "0x92" in told[0]
    assert "Latin-1" in told[0]
    assert "UTF-8" in told[0]
    assert rows(read_cues(put(tmp_path, "b.srt", b"1\n00:00:01,000 --> 00:00:02,000\n\x81\xe9\n"), told.append))


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("<i>so</i> <b>it</b> <u>goes</u>", "so it goes"),
        ('<font color="#ff0000">red</font>', "red"),
        (r"{\an8}{\k20}high{\i1} up{\i0}\Nand down", "high up and down"),
        ("{y:i}slanted {b}fat{/b}", "slanted fat"),
        ("one<br/>two", "one two"),
        ("<v Anna Lee>Hello</v>", "Anna Lee: Hello"),
        ("<v.loud Anna>Hello <v Ben>Hi", "Anna: Hello\nBen: Hi"),
        ("<v Anna>\nHello", "Anna: Hello"),
        ("ANNA: Hello\nBEN: Hi", "ANNA: Hello\nBEN: Hi"),
        ("ANNA:\nHello", "ANNA: Hello"),
        ("- Hello\n- Hi\nthere", "- Hello\n- Hi there"),
        ("He<00:00:01.500><c> is</c><00:00:01.800><c.yellow> here</c>", "He is here"),
        ("a < b, <laughs> {door} and 3 > 2", "a < b, <laughs> {door} and 3 > 2"),
        ("AT&T &copy me &#233; &nbsp;x", "AT&T &copy me é x"),
        ("<ruby>漢<rt>kan</rt></ruby> 字", "漢kan 字"),
        ("\u202aleft\u202c\u200e", "left"),
    ],
)
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_markup_leaves_words(tmp_path: Path, told: list[str], name: str, words: str, plain: str) -> None:
    head = "WEBVTT\n\n" if name.endswith("vtt") else "1\n"
    path = put(tmp_path, name, f"{head}00:00:01.000 --> 00:00:02.000\n{words}\n")
    assert rows(read_cues(path, told.append)) == [(1.0, 2.0, plain)]
    assert told == []


def test_cues_are_sorted_empty_ones_dropped_and_overlaps_kept(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.srt", srt("5 9 five", "1 6 one", "2 3 <i></i>", "4 5 <v Anna></v>", "6 7 six"))
    assert rows(read_cues(path, told.append)) == [(1.0, 6.0, "one"), (5.0, 9.0, "five"), (6.0, 7.0, "six")]
    assert len(told) == 1
    assert "line 6" in told[0]


def test_times_that_end_before_they_begin_are_mended_and_told(tmp_path: Path, told: list[str]) -> None:
    text = srt("1 1 none", "5 4 back") + "\n3\n-00:00:09,000 --> 00:00:10,000\nbefore\n"
    assert rows(read_cues(put(tmp_path, "a.srt", text), told.append)) == [
        (0.0, 10.0, "before"),
        (1.0, 2.0, "none"),
        (5.0, 6.0, "back"),
    ]
    for line in ("line 2", "line 6", "line 10"):
        assert any(line in notice for notice in told)


def test_more_than_99_hours(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.srt", "1\n100:00:01,000 --> 1000:00:02,000\nlong\n")
    assert rows(read_cues(path, told.append)) == [(360_001.0, 3_600_002.0, "long")]


def test_damaged_blocks_are_told_and_the_others_kept(tmp_path: Path, told: list[str]) -> None:
    text = """1
00:00:01,000 --> 00:00:02,000
good

2
00:00:03,000 --> 00:00:0x
lost one

3
the times are missing here

4
00:00:05,000 -> 00:00:06,000
one dash, and a gap

amid its words
5
00:00:07,000 --> 00:00:08,000
no empty line before
"""
    assert rows(read_cues(put(tmp_path, "a.srt", text), told.append)) == [
        (1.0, 2.0, "good"),
        (5.0, 6.0, "one dash, and a gap amid its words"),
        (7.0, 8.0, "no empty line before"),
    ]
    assert len(told) == 2
    assert "a.srt" in told[0]
    assert "line 6" in told[0]
    assert "lost one" in told[0]
    assert "line 9" in told[1]
    assert "the times are missing here" in told[1]


def test_a_block_without_times_after_a_good_one_is_no_part_of_it(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.srt", srt("1 2 good") + "\n2\nno times\n\n3\n00:00:05,000 --> 00:00:06,000\nend\n")
    assert rows(read_cues(path, told.append)) == [(1.0, 2.0, "good"), (5.0, 6.0, "end")]
    assert len(told) == 1
    assert "no times" in told[0]


def test_numbers_that_are_words_and_numbers_that_are_not(tmp_path: Path, told: list[str]) -> None:
    text = "1\n\n00:00:01,000 --> 00:00:02,000\nHow many?\n42\n\n2\n\n00:00:03,000 --> 00:00:04,000\n1984\n"
    assert [cue.text for cue in read_cues(put(tmp_path, "a.srt", text), told.append)] == ["How many? 42", "1984"]
    text = "00:00:01,000 --> 00:00:02,000\nHow many?\n42\n\n00:00:03,000 --> 00:00:04,000\n1984"
    assert [cue.text for cue in read_cues(put(tmp_path, "b.srt", text), told.append)] == ["How many? 42", "1984"]
    assert told == []


def test_damaged_webvtt(tmp_path: Path, told: list[str]) -> None:
    text = "1\n00:01.000 --> 00:02.000\ngood\n\nwords alone\n\n00:03 -->\nbad\n"
    assert rows(read_cues(put(tmp_path, "a.vtt", text), told.append)) == [(1.0, 2.0, "good")]
    assert ["WEBVTT" in told[0], "words alone" in told[1], "bad" in told[2]] == [True] * 3
    assert "line 7" in told[2]


def test_webvtt_without_empty_lines(tmp_path: Path, told: list[str]) -> None:
    text = "WEBVTT\n00:01.000 --> 00:02.000\none\n00:02.000 --> 00:03.000\n2\n00:03.000 --> 00:04.000\n\nname\n"
    text += "00:05.000 --> 00:06.000\nthree\n"
    assert [cue.text for cue in read_cues(put(tmp_path, "a.vtt", text), told.append)] == ["one", "2", "three"]
    assert told == []


def test_many_damaged_blocks_are_counted(tmp_path: Path, told: list[str]) -> None:
    bad = "\n\n".join(f"{k}\n00:00:xx,0:0 --> nowhere\nwords {k}" for k in range(2, 50))
    read_cues(put(tmp_path, "a.srt", srt("1 2 good") + "\n" + bad), told.append)
    assert len(told) == 21
    assert "28 more" in told[-1]


def test_captions_that_roll_up_are_read_once(tmp_path: Path, told: list[str]) -> None:
    text = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%
 
we<00:00:00.500><c> begin</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
we begin
 

00:00:02.010 --> 00:00:04.000 align:start position:0%
we begin
and<00:00:02.500><c> go on</c>

00:00:04.000 --> 00:00:06.000 align:start position:0%
and go on
no<00:00:05.000><c> no</c>
"""
    assert rows(read_cues(put(tmp_path, "a.vtt", text), told.append)) == [
        (0.0, 2.0, "we begin"),
        (2.01, 4.0, "and go on"),
        (4.0, 6.0, "no no"),
    ]
    repeated = srt("1 2 No!", "2 3 No!")
    assert [cue.text for cue in read_cues(put(tmp_path, "b.srt", repeated), told.append)] == ["No!", "No!"]


def test_substation_is_read(tmp_path: Path, told: list[str]) -> None:
    text = r"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:05.00,0:00:06.50,Default,,0,0,0,,{\i1}Later,{\i0}\Nhe said
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Anna,0,0,0,,Hi
Comment: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,not shown
"""
    cues = read_cues(put(tmp_path, "a.ass", text), told.append)
    assert rows(cues) == [(1.0, 2.5, "Anna: Hi"), (5.0, 6.5, "Later, he said")]
    assert [cue.line for cue in cues] == [11, 10]
    with pytest.raises(MediaError, match="SRT"):
        read_cues(put(tmp_path, "b.ass", "nothing of the kind"), told.append)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no subtitles"),
        (b"<html>Not found</html>", "Not found"),
        (b"ftyp\x00\x00\x00\x01\xffisom\x00", "binary"),
        (b"\xff\xfea", "utf-16"),
        (b"1\n00:00:99999999999999999999:00 --> 2\nx\n", "no subtitles"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(tmp_path: Path, told: list[str], content: bytes, says: str) -> None:
    with pytest.raises(MediaError, match=says) as caught:
        read_cues(put(tmp_path, "a.srt", content), told.append)
    assert "a.srt" in caught.value.problem
    assert caught.value.expected


def test_files_that_cannot_be_read_are_refused(tmp_path: Path, told: list[str]) -> None:
    for path in (tmp_path / "missing.srt", tmp_path):
        with pytest.raises(MediaError, match="cannot read"):
            read_cues(path, told.append)
    film = put(tmp_path, "film.srt", b"")
    os.truncate(film, 65 * 2**20)
    with pytest.raises(MediaError, match="bytes"):
        read_cues(film, told.append)


def test_webvtt_without_cues_is_silence(tmp_path: Path, told: list[str]) -> None:
    assert read_cues(put(tmp_path, "a.vtt", "WEBVTT\n\nNOTE nothing is said\n"), told.append) == []
    assert told == []


words_of_cues = st.lists(
    st.text(st.characters(codec="utf-8", categories=["L", "Nd", "Po"], exclude_characters="<>&{}\\"), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and any(c.isalpha() for c in text)),
    max_size=12,
)


@given(words_of_cues)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    folder, told = tmp_path_factory.mktemp("cues"), []
    path = put(
        folder,
        "a.vtt",
        "WEBVTT\n\n" + "".join(f"00:{k:02}.000 --> 00:{k:02}.900\n{w}\n\n" for k, w in enumerate(words)),
    )
    assert rows(read_cues(path, told.append)) == [(float(k), k + 0.9, w) for k, w in enumerate(words)]


@given(st.text(alphabet="12:,.-> \nabNOTE<>{}\\\r\0", max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name, read in (("x.srt", read_cues), ("x.vtt", read_cues), ("x.txt", read_transcript)):
        try:
            cues = read(put(folder, name, text), lambda notice: None)
        except MediaError:
            continue
        assert all(0 <= cue.start_s < cue.end_s for cue in cues)
        assert cues == sorted(cues, key=lambda cue: cue.start_s)


def test_large_files_are_read_in_linear_time(tmp_path: Path) -> None:
    put(tmp_path, "digits.srt", "1\n00:00:01,000 --> 00:00:02,000\n" + "1:1:" * 50_000 + "-->" + "1" * 50_000 + "\n")
    started = time.process_time()
    read_cues(tmp_path / "digits.srt", lambda notice: None)
    assert time.process_time() - started < 5


# Which file


def test_subtitles_beside_a_video(tmp_path: Path, told: list[str]) -> None:
    video = put(tmp_path, "my [clip].mp4", b"")
    assert find_subtitles(video, told.append) is None
    for name in ("my [clip]2.srt", "my.srt", "my [clip].part 2.srt", "my [clip].txt", "my [clip].en.fr.srt"):
        put(tmp_path, name, b"")
    assert find_subtitles(video, told.append) is None
    assert told == []
    for better in (
        "my [clip].en.forced.srt", "my [clip].fr.srt", "my [clip].de.srt", "my [clip].en-GB.sdh.vtt",
        "my [clip].en.vtt", "my [clip].en.srt", "my [clip].vtt", "my [clip].SRT",
    ):  # fmt: skip
        put(tmp_path, better, b"")
        told.clear()
        assert find_subtitles(video, told.append) == tmp_path / better
    assert len(told) == 1
    assert "my [clip].en.forced.srt" in told[0]


def test_a_stream_has_no_subtitles_beside_it() -> None:
    assert find_subtitles(Path("rtsp://camera/stream")) is None


# Transcripts


def test_a_transcript_with_times(tmp_path: Path, told: list[str]) -> None:
    text = """[0:05] It begins
and goes on
(1:05) Anna: Hello
00:01:10 Ben: Hi
1:20 - 1:25 a range
[01:30.500 --> 01:32.000]  as whisper says it
100:00:00 the end of the words
"""
    cues = read_transcript(put(tmp_path, "a.txt", text), told.append)
    assert rows(cues) == [
        (5.0, 65.0, "It begins\nand goes on"),
        (65.0, 70.0, "Anna: Hello"),
        (70.0, 80.0, "Ben: Hi"),
        (80.0, 85.0, "a range"),
        (90.5, 92.0, "as whisper says it"),
        (360_000.0, 360_002.0, "the end of the words"),
    ]
    assert [cue.line for cue in cues] == [1, 3, 4, 5, 6, 7]
    assert told == []


def test_times_on_lines_of_their_own(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.txt", "A title\n\n0:00\nhello\n\n0:04\nworld\n")
    assert rows(read_transcript(path, told.append)) == [(0.0, 4.0, "hello"), (4.0, 5.0, "world")]
    assert len(told) == 1
    assert "line 1" in told[0]
    assert "A title" in told[0]


def test_what_looks_like_a_time_is_told(tmp_path: Path, told: list[str]) -> None:
    path = put(tmp_path, "a.txt", "[0:01] one\n[0:75] two\n[0:05] three\n[0:03] late\n")
    assert rows(read_transcript(path, told.append)) == [
        (1.0, 3.0, "one\n[0:75] two"),
        (3.0, 5.0, "late"),
        (5.0, 6.0, "three"),
    ]
    assert "line 2" in told[0]
    assert "line 4" in told[1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"start": 1, "end": 2.5, "text": " Hello ", "speaker": "Anna"}\n\n{"start": 3, "text": "bye"}\n'),
        ("a.json", '[{"start": 1, "end": 2.5, "text": "Anna:  Hello"}, {"start": 3, "end": null, "text": "bye"}]'),
        ("a.json", '{"text": "x", "segments": [{"id": 0, "seek": 0, "start": 1.0, "end": 2.5, "text": " Anna: Hello"}, '
         '{"id": 1, "start": 3.0, "end": 4.0, "text": "bye"}], "language": "en"}'),
        ("a.txt", '[{"start": 1, "end": 2.5, "text": "Anna: Hello"}, {"start": 3, "text": "bye"}, '
         '{"start": 9, "text": ""}]'),
    ],
)  # fmt: skip
def test_json_transcripts(tmp_path: Path, told: list[str], name: str, text: str) -> None:
    assert rows(read_transcript(put(tmp_path, name, text), told.append)) == [
        (1.0, 2.5, "Anna: Hello"),
        (3.0, 4.0, "bye"),
    ]
    assert told == []


def test_damaged_entries_are_told_and_the_others_kept(tmp_path: Path, told: list[str]) -> None:
    entries = [
        '{"start": 1, "text": "good"}',
        '{"start": "x", "text": "a"}',
        '{"start": true, "text": "b"}',
        "[]",
        '{"start": NaN, "text": "c"}',
        '{"start": 3, "text": 5}',
        '{"end": 3, "text": "d"}',
        '{"start": 4, "te',
    ]
    cues = read_transcript(put(tmp_path, "a.jsonl", "\n".join(entries)), told.append)
    assert rows(cues) == [(1.0, 2.0, "good")]
    assert len(told) == 7
    for line in range(2, 9):
        assert sum(f"line {line}:" in notice for notice in told) == 1
    assert any("'x'" in notice for notice in told)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", '[{"start": 1', "as JSON"),
        ("a.json", '{"segments": 5}', "segments"),
        ("a.json", '[{"from": 1}]', "'start'"),
        ("a.json", '[{"start": 1' + "0" * 400 + ', "text": "x"}]', "'start'"),
        ("a.json", "[" * 100_000, "as JSON"),
        ("a.csv", "a,b\n1,2\n", "'section'"),
        ("a.csv", "section,text\n1,one, two\n", "line 2"),
        ("a.csv", 'section,text\n1,"one', "as CSV"),
        ("a.csv", 'section,text\n1,"a\nb"\n2\n', "line 4"),
        ("a.txt", " \n\n", "empty"),
    ],
)
def test_transcripts_that_cannot_be_used_are_refused(
    tmp_path: Path, told: list[str], name: str, text: str, says: str
) -> None:
    with pytest.raises(MediaError, match=says) as caught:
        read_transcript(put(tmp_path, name, text), told.append)
    assert name in str(caught.value)


def test_subtitles_are_transcripts_too(tmp_path: Path, told: list[str]) -> None:
    assert rows(read_transcript(put(tmp_path, "a.srt", srt("1 2 hello")), told.append)) == [(1.0, 2.0, "hello")]


def test_a_story_has_sections_and_no_seconds(tmp_path: Path, told: list[str]) -> None:
    text = "Once upon a time\nthere was a king.\n\n10:30 was his hour,\nand 11:00 was not.\n \nThe end."
    cues = read_transcript(put(tmp_path, "story.txt", text), told.append)
    assert rows(cues) == [
        (0.0, 1.0, "Once upon a time there was a king."),
        (1.0, 2.0, "10:30 was his hour, and 11:00 was not."),
        (2.0, 3.0, "The end."),
    ]
    assert {cue.clock for cue in cues} == {"sections"}
    assert [cue.line for cue in cues] == [1, 4, 7]
    assert len(told) == 1
    assert "3 paragraphs" in told[0]
    assert "not seconds" in told[0]
    lines = read_transcript(put(tmp_path, "lines.txt", "one\ntwo\n"), told.append)
    assert [cue.text for cue in lines] == ["one", "two"]


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("A title\nby someone\n[0:05] only one is timed\nand goes on\nand on\nand on", "seconds"),
        ("1:00:05 only the first is timed\nand goes on\nand on\nand on", "seconds"),
        ("0:05 one\nand goes on\n0:09 two", "seconds"),
        ("A title\n0:05 - 0:09 one\nand goes on\nand on\n0:10 - 0:12 two", "seconds"),
        ("They met.\n10:30 to 11:00 was their hour.\nThen they parted.\nThat was all.", "sections"),
        ("They met.\n10:30 was their hour.\nThen they parted.\nThat was all.", "sections"),
        ("(10:30 was\ntheir hour.)\nThat was all.", "sections"),
    ],
)
def test_times_are_told_from_words(tmp_path: Path, told: list[str], text: str, clock: Clock) -> None:
    assert {cue.clock for cue in read_transcript(put(tmp_path, "a.txt", text), told.append)} == {clock}


def test_a_csv_of_sections(tmp_path: Path, told: list[str]) -> None:
    text = '\ufeffsection,text\r\n1,"A king, ""old"" and\nwise."\r\n\r\n2,He died.\x0b\u2028Ah.\r\n'
    cues = read_transcript(put(tmp_path, "story.csv", text), told.append)
    assert rows(cues) == [(0.0, 1.0, 'A king, "old" and wise.'), (1.0, 2.0, "He died. Ah.")]
    assert {cue.clock for cue in cues} == {"sections"}
    assert [cue.line for cue in cues] == [2, 5]
    assert told == []
    odd = put(tmp_path, "odd.tsv", "text\tsection\none\t1\n\t2\nfour\t4\n")
    assert [cue.text for cue in read_transcript(odd, told.append)] == ["one", "", "four"]
    assert "line 4: section '4' comes where '3' is expected" in told[0]
    assert "section '2' has no words" in told[1]


# Segments


def cue(start_s: float, end_s: float, text: str = "words", clock: Clock = "seconds") -> Cue:
    return Cue(start_s, end_s, text, clock=clock)


def bounds(cues: list[Cue], duration_s: float, length_s: float = 30.0, cuts: tuple[float, ...] = ()) -> list[float]:
    segments = tile(cues, source="s", duration_s=duration_s, length_s=length_s, cuts=cuts)
    return [0.0, *(segment.end_s for segment in segments)]


times = st.floats(0, 500, allow_nan=False)
any_cues = st.lists(
    st.tuples(times, st.one_of(st.floats(0.01, 10), st.floats(0.01, 200))).filter(lambda t: t[0] < t[0] + t[1]),
    max_size=40,
).map(lambda spans: [cue(start_s, start_s + length_s, f"cue {k}") for k, (start_s, length_s) in enumerate(spans)])


def in_turn(lengths: list[tuple[float, float]]) -> list[Cue]:
    """Cues that do not overlap, from (pause before it, its length)."""
    cues, now_s = [], 0.0
    for pause_s, length_s in lengths:
        cues.append(cue(now_s + pause_s, now_s + pause_s + length_s, f"cue {len(cues)}"))
        now_s = cues[-1].end_s
    return cues


@given(any_cues, st.floats(1, 90), st.lists(times, max_size=20))
def test_segments_tile_the_time_line_and_hold_every_word_once(
    cues: list[Cue], length_s: float, cuts: list[float]
) -> None:
    duration_s = 501.0
    segments = tile(cues, source="film", duration_s=duration_s, length_s=length_s, cuts=cuts)
    assert (segments[0].start_s, segments[-1].end_s) == (0.0, duration_s)
    assert all(before.end_s == after.start_s for before, after in pairwise(segments))
    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert all(0.499 * length_s < s.end_s - s.start_s < 1.501 * length_s for s in segments[:-1])
    assert segments[-1].end_s - segments[-1].start_s < 1.501 * length_s
    said = [line for segment in segments for line in segment.dialogue.split("\n") if line]
    assert said == [cue.text for cue in sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))]
    for one in cues:
        (home,) = (segment for segment in segments if one.text in segment.dialogue.split("\n"))
        assert home.start_s <= one.start_s < home.end_s
    again = tile(cues[::-1], source="film", duration_s=duration_s, length_s=length_s, cuts=cuts[::-1])
    if len({(one.start_s, one.end_s) for one in cues}) == len(cues):
        assert [segment.id for segment in again] == [segment.id for segment in segments]


@given(
    st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0.01, 40)), st.floats(0.01, 60)), min_size=1, max_size=40),
    st.floats(5, 60),
    st.lists(times, max_size=20),
)
def test_no_segment_ends_inside_a_short_cue(
    lengths: list[tuple[float, float]], length_s: float, cuts: list[float]
) -> None:
    cues = in_turn(lengths)
    ends = bounds(cues, cues[-1].end_s + 1, length_s, tuple(cuts))[1:-1]
    for one in cues:
        if one.end_s - one.start_s <= length_s:
            assert not [end_s for end_s in ends if one.start_s < end_s < one.end_s]


@given(any_cues)
def test_more_of_a_source_changes_its_end_only(cues: list[Cue]) -> None:
    short, long = (bounds([one for one in cues if one.end_s < 400], until_s) for until_s in (501.0, 900.0))
    same = [end_s for end_s in short if end_s < 501 - 60 - 45]
    assert long[: len(same)] == same


def test_segments_are_even_where_nothing_is_said() -> None:
    assert bounds([], 120) == [0, 30, 60, 90, 120]
    assert bounds([], 45) == [0, 45]
    assert bounds([], 46) == [0, 23, 46]
    assert bounds([], 1) == [0, 1]


def test_long_silence_is_one_segment_after_an_hour() -> None:
    ends = bounds([cue(10, 20), cue(5_000_000, 5_000_010), cue(5_000_020, 9_000_000)], 10_000_000)
    assert [end_s for end_s in ends if 20 + 3600 + 45 < end_s < 5_000_000 + 60] == [5_000_000, 5_000_030]
    assert len(ends) < 250 + 5
    assert ends[-1] == 10_000_000
    assert max(after - before for before, after in pairwise(ends[:120])) <= 45
    shorter = bounds([cue(10, 20)], 1_000_000)
    assert ends[: len(shorter) - 1] == shorter[:-1]  # what comes later changes nothing before
    assert len(bounds([cue(0, 1), cue(3590, 3600)], 3600)) == 121


def test_segments_end_in_pauses_and_at_cuts() -> None:
    talk = [cue(20, 27), cue(27.2, 35), cue(37, 44), cue(44, 90)]
    assert bounds(talk, 90)[1] == 35  # 0.2 s at 27 are nearer, but 2 s are a pause
    assert bounds(talk, 90, cuts=(15.5, 30, 36.5))[1] == 36.5  # at 30, someone speaks
    assert bounds(talk, 90, cuts=(14, 30))[1] == 35
    assert bounds([cue(0, 20), cue(20, 40), cue(40, 60)], 60)[1] in (20, 40)
    assert bounds([cue(16, 43), cue(18, 20), cue(44, 90)], 90)[1] == 43  # from 20 on, the first one goes on
    assert bounds([cue(0, 100, "a long song"), cue(25, 34)], 100)[1] == 34


def test_cues_without_a_pause_do_not_make_endless_segments() -> None:
    talk = [cue(k, k + 3.5, f"{k}") for k in range(600)]
    ends = bounds(talk, 604)
    assert max(after - before for before, after in pairwise(ends)) <= 45
    assert bounds([cue(10, 200, "a long song"), cue(50, 55)], 210)[1:3] == [30, 60]


def test_captions_and_texts_stand_in_the_segment_that_shows_them() -> None:
    segments = tile(
        [cue(31, 33, "Anna: Hello")],
        [(30.0, "f2", "a door"), (5.0, "f1", "a man"), (6.0, "", "a man"), (60.0, "f4", "an end")],
        [(29.9, "f3", "EXIT"), (30.0, "f2", "OPEN"), (40.0, "f5", "OPEN")],
        source="film.mp4",
        duration_s=60.0,
    )
    first, second = segments
    assert (first.caption, first.text, first.dialogue, first.frame_ids) == ("a man", "EXIT", "", ("f1", "f3"))
    assert (second.caption, second.text, second.dialogue) == ("a door\nan end", "OPEN", "Anna: Hello")
    assert second.frame_ids == ("f2", "f5", "f4")
    assert {segment.source for segment in segments} == {"film.mp4"}


def test_sections_stay_one_segment_each() -> None:
    story = [cue(k, k + 1, f"section {k} " + "word " * 500, "sections") for k in range(4)]
    for duration_s in (None, 4):
        segments = tile(story, [(2.5, "f", "a drawing")], source="story", duration_s=duration_s)
        assert [(s.start_s, s.end_s) for s in segments] == [(0, 1), (1, 2), (2, 3), (3, 4)]
        assert [s.caption.split("\n")[0] for s in segments] == [one.text for one in story]
        assert [s.dialogue for s in segments] == [""] * 4
        assert segments[2].caption.endswith("\na drawing")
    for wrong in ([cue(1, 2, "x", "sections")], [cue(0, 2, "x", "sections")]):
        with pytest.raises(StoreError, match="section 0"):
            tile(wrong, source="story")
    with pytest.raises(StoreError, match="duration"):
        tile(story, source="story", duration_s=600.0)
    with pytest.raises(StoreError, match="count sections"):
        tile([*story, cue(5, 6)], source="story", duration_s=600.0)


@pytest.mark.parametrize("duration_s", [None, 0.0, -1.0, math.nan, math.inf])
def test_a_source_without_a_length_is_refused(duration_s: float | None) -> None:
    with pytest.raises(StoreError, match="duration above 0"):
        tile([], source="s", duration_s=duration_s)


@pytest.mark.parametrize("length_s", [0.0, -1.0, math.nan, math.inf, 1e-9])
def test_lengths_that_cannot_be_are_refused(length_s: float) -> None:
    with pytest.raises(StoreError, match="cannot tile"):
        tile([], source="s", duration_s=60, length_s=length_s)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (cue(-1, 2), "starts at -1"),
        (cue(math.nan, 2), "starts at nan"),
        (cue(2, 2), "ends at 2"),
        (cue(2, math.inf), "ends at inf"),
        (Cue(500, 501, "too late", 77), "line 77"),
    ],
)
def test_cues_that_cannot_be_are_refused(one: Cue, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        tile([cue(0, 1), one], source="s", duration_s=60.0)


def test_words_of_another_source_are_refused_and_late_ones_kept() -> None:
    for late in ({"captions": [(95.0, "f", "x")]}, {"texts": [(math.nan, "f", "x")]}, {"captions": [(-0.1, "f", "x")]}):
        with pytest.raises(StoreError, match=r"0 or more|belong to it"):
            tile([], source="s", duration_s=60.0, **late)
    with pytest.raises(StoreError, match="scene cut"):
        tile([], source="s", duration_s=60.0, cuts=[math.nan])
    last = tile([cue(59, 70, "a"), cue(75, 80, "b")], source="s", duration_s=60.0)[-1]
    assert (last.end_s, last.dialogue) == (60.0, "a\nb")


def test_a_day_of_speech_is_tiled_in_linear_time() -> None:
    def cost(hours: int) -> float:
        talk = [cue(2.0 * k, 2.0 * k + 1.9) for k in range(1800 * hours)]
        seen = [(2.0 * k, f"f{k}", "seen") for k in range(1800 * hours)]
        gc.collect()
        gc.disable()  # it goes through all that other tests have left in memory
        started = time.process_time()
        tile(talk, seen, source="s", duration_s=3600.0 * hours, cuts=[7.0 * k for k in range(500 * hours)])
        took_s = time.process_time() - started
        gc.enable()
        return took_s

    cost(1)
    # A line would come to 12 times as much, a square to 144.
    assert cost(24) < 40 * max(min(cost(2) for _ in range(3)), 0.005)


def test_a_film_from_its_file_to_its_segments(tmp_path: Path, told: list[str]) -> None:
    video = put(tmp_path, "film.mp4", b"")
    put(tmp_path, "film.en.srt", srt("1 4 Where is it?", "25 34 In the drawer.", "50 55 <i>Gone.</i>"))
    found = find_subtitles(video, told.append)
    assert found is not None
    segments = tile(read_cues(found, told.append), source="film.mp4", duration_s=59.5)
    assert [(s.start_s, s.end_s, s.dialogue) for s in segments] == [
        (0.0, 34.0, "Where is it?\nIn the drawer."),
        (34.0, 59.5, "Gone."),
    ]
    assert told == []
    assert json.loads(segments[0].model_dump_json())["dialogue"] == "Where is it?\nIn the drawer."
