"""Matrices made small: nothing that stands out is lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from abp.analysis.blocks import share, strongest

SHAPES = array_shapes(min_dims=2, max_dims=2, max_side=12)
BLOCKS = st.tuples(st.integers(1, 5), st.integers(1, 5))
VALUES = st.floats(-100, 100, width=32)


def blocks(matrix, block):
    """Every block by slicing, with its place."""
    rows, columns = block
    for down in range(0, matrix.shape[0], rows):
        for across in range(0, matrix.shape[1], columns):
            yield (down // rows, across // columns), matrix[down : down + rows, across : across + columns]


@given(arrays(np.float32, SHAPES, elements=VALUES), BLOCKS)
def test_the_strongest_value_of_every_block_survives_with_its_sign(matrix, block):
    small = strongest(matrix, block)
    places = []
    for place, part in blocks(matrix, block):
        places.append(place)
        assert small[place] in part
        assert abs(small[place]) == np.abs(part).max()
    assert len(places) == small.size
    # so neither the largest nor the smallest value of the matrix can be hidden, but by one of larger magnitude
    assert np.abs(small).max() == np.abs(matrix).max()


@given(arrays(np.bool_, SHAPES), BLOCKS)
def test_the_share_is_the_mean_of_every_block(mask, block):
    small = share(mask, block)
    for place, part in blocks(mask, block):
        assert small[place] == part.mean()


@given(arrays(np.float32, SHAPES, elements=VALUES))
def test_blocks_of_one_change_nothing(matrix):
    np.testing.assert_array_equal(strongest(matrix, (1, 1)), matrix)
