"""Texts keep their template and values wherever they go."""

from __future__ import annotations

import copy
import json
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

from avatar_app.errors import AvatarError
from avatar_app.text import NOTHING, Text, from_plain, join, parts_of, to_plain

WHY = Text("it has more than {} MB", 16)
TEXT = Text("The photo {} cannot be read: {}.", Path("a{b}.jpg"), WHY)


def same(one: Text, other: Text) -> bool:
    """Whether texts are equal in template and values."""
    return type(one) is type(other) and to_plain(one) == to_plain(other) and one == other


def test_a_text_is_its_english() -> None:
    assert TEXT == "The photo a{b}.jpg cannot be read: it has more than 16 MB."
    assert (TEXT.template, TEXT.values) == ("The photo {} cannot be read: {}.", ("a{b}.jpg", WHY))
    assert json.loads(json.dumps({"message": TEXT})) == {"message": str(TEXT)}
    assert type(str(TEXT)) is str


def test_numbers_are_written_as_the_template_says() -> None:
    assert Text("{:.1f} s, {:g}, {}", np.float32(0.25), 2.0, 3) == "0.2 s, 2, 3"


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_copies_and_pickles_are_the_same(protocol: int) -> None:
    assert same(pickle.loads(pickle.dumps(TEXT, protocol)), TEXT)
    assert same(copy.copy(TEXT), TEXT) and same(copy.deepcopy(TEXT), TEXT)


def test_errors_keep_their_texts_in_another_process() -> None:
    error = AvatarError(TEXT, WHY)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        back = pool.apply(copy.copy, (error.message,))
    assert same(back, TEXT)
    plain = json.loads(json.dumps([to_plain(TEXT), to_plain(NOTHING)]))
    assert same(from_plain(plain[0]), TEXT) and from_plain(plain[1]) == ""


def test_join_leaves_empty_texts_out() -> None:
    joined = join([TEXT, NOTHING, WHY], "; ")
    assert joined == f"{TEXT}; {WHY}" and parts_of(joined) == (TEXT, WHY)
    assert join([]) == "" and parts_of(TEXT) == (TEXT,)
    assert str(AvatarError(TEXT)) == TEXT and str(AvatarError(TEXT, WHY)) == f"{TEXT} {WHY}"


def test_translations_may_change_the_order_of_values() -> None:
    words = {TEXT.template: "{1}: {0}", WHY.template: "plus de {0:.1f} Mo"}
    assert TEXT.translated(lambda template: words[template]) == "plus de 16.0 Mo: a{b}.jpg"
    assert join([TEXT, WHY]).translated(words.__getitem__) == "plus de 16.0 Mo: a{b}.jpg plus de 16.0 Mo"
