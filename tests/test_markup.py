"""Text becomes markup in one place, where it is escaped; a page refers to nothing but itself."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.markup import LONGEST, Markup, document, given_name, joined, plain, short, table, tag

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>.wav',
    "' onmouseover='alert(1)",
    "]]>--><!-- &amp; &#60; ${x} {y} %s",
    "red\x1b[31m\x00\u202egnp.wav\ud800",
    "שלום עולם 𝅘𝅥𝅮.wav",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_stands_in_a_page_as_it_is_but_for_what_cannot_be_shown(text):
    made = document(text, tag("p", text, title=text), table(text, (text,), [[text]]))

    root = ET.fromstring(made.removeprefix("<!DOCTYPE html>"))
    made.encode()
    (paragraph,) = root.iter("p")
    assert paragraph.text == paragraph.get("title") == plain(text)
    assert not list(root.iter("script"))
    assert not list(root.iter("img"))


@given(st.text(st.characters()))
def test_a_page_is_well_formed_whatever_is_on_it(text):
    root = ET.fromstring(document(text, tag("p", given_name(text))).removeprefix("<!DOCTYPE html>"))

    assert root.find(".//bdi").text in (short(plain(text)), None)


def test_what_a_browser_would_obey_is_shown_as_a_question_mark():
    assert plain("a\x1b\u202eb\nc") == "a??b?c"
    assert plain("naïve Ärger שלום") == "naïve Ärger שלום"


def test_markup_is_not_escaped_twice_and_text_is_never_left_out():
    assert joined((tag("b", "<"), "<", Markup("<i/>"))) == "<b>&lt;</b>&lt;<i/>"


def test_a_long_name_keeps_both_of_its_ends():
    made = short("start" + "x" * 300 + "end.wav")

    assert len(made) == LONGEST
    assert made.startswith("start")
    assert made.endswith("end.wav")
    assert given_name("a" * LONGEST) == f"<bdi>{'a' * LONGEST}</bdi>"


def test_a_table_says_what_its_cells_are_and_can_be_scrolled_with_keys():
    root = ET.fromstring(table("what it is", ("one", "two"), [("a", "b"), ("c", "d")]))

    assert root.get("tabindex") == "0"
    assert root.find(".//caption").text == "what it is"
    assert [head.get("scope") for head in root.iter("th")] == ["col", "col", "row", "row"]
