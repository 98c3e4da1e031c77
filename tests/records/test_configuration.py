from __future__ import annotations

import pytest

from farscope.records.configuration import leaves_in, leaves_of, text_of


@pytest.mark.parametrize("leaves", [(), ("a",), ("a", "b"), ("a", "b", "c d")])
def test_the_text_of_a_configuration_can_be_read_back(leaves):
    assert leaves_in(text_of(leaves)) == leaves


def test_a_name_alone_is_a_configuration_of_one_leaf():
    assert leaves_of("a") == ("a",)
    assert leaves_of("top") == ()
