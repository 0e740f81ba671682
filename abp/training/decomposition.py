"""A layer's singular values and left singular vectors, as often as training needs them.

They come from the eigenvalues of the smaller of W W' and W' W in float64, in less than half the time of a singular
value decomposition; float32 weights are not known well enough for the difference to show.
"""

import torch
from torch import Tensor


def decomposed(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The matrix, transposed if it is taller than wide ``[small, large]``, its left vectors and its singular values.

    Singular values ``[small]`` are the largest first; the vectors are the columns of ``[small, small]``; all float64.
    """
    matrix = weight.detach().double()
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.t()
    squares, vectors = torch.linalg.eigh(matrix @ matrix.t())  # the smallest first
    return matrix, vectors.flip(1), squares.flip(0).clamp(min=0).sqrt()


def rescaled(matrix: Tensor, left: Tensor, factors: Tensor, weight: Tensor) -> Tensor:
    """The matrix with its singular values times `factors`, float32 in the shape of `weight`.

    Of `left` ``[small, n]`` and `factors` ``[n]``, n can be less than all: singular values without a factor become 0.
    """
    result = (left * factors) @ (left.t() @ matrix)
    return (result if result.shape == weight.shape else result.t()).float()
