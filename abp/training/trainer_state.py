"""The state of a trainer: everything it needs to go on with the same bits.

The generators need no saving: they follow from the seed, the epoch and the number of prunings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_SINCE_THEN = {"anew": False, "fine_tuned": 0}  # values that older programs did not save, and what they stood for


_REMEMBERED = {"adam": ("step", "exp_avg", "exp_avg_sq"), "sgd": ("momentum_buffer",)}  # of each parameter


@dataclass(frozen=True, eq=False)
class TrainerState:
    """Copies of a trainer's tensors, and its plain values.

    Attributes
    ----------
    tensors
        ``hidden.0.weight``, ... as `Network.tensors` names them; ``mask.0``, ``count.0``, ``epoch_count.0``, ... of
        each hidden layer; ``optimiser.0.momentum_buffer``, ... of each parameter that an optimiser remembers.
    values
        Of the epoch in progress, the schedule and what is due: anything that JSON can hold.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]

    def checked(self, like: "TrainerState", optimiser: str | None) -> "TrainerState":
        """This state, completed where an older program made it.

        Parameters
        ----------
        like
            A state of a trainer of the same experiment: what must be there, and in which shapes.
        optimiser
            The one that must remember something of each parameter once training has begun, ``"adam"`` or ``"sgd"``;
            None if that is plain SGD.

        Raises
        ------
        ValueError
            If something is missing, or a tensor has another shape or type; the message names it.
        """
        expected_tensors = {name: t for name, t in like.tensors.items() if not name.startswith("optimiser.")}
        if optimiser and self.values.get("epoch"):
            expected_tensors |= _remembered(optimiser, like.tensors)
        for name, expected in expected_tensors.items():
            if name not in self.tensors:
                raise ValueError(f"it holds no {name}")
            found = self.tensors[name]
            if (found.shape, found.dtype) != (expected.shape, expected.dtype):
                raise ValueError(
                    f"{name} is {list(found.shape)} of {found.dtype}, not {list(expected.shape)} of {expected.dtype}"
                )
        values = {**_SINCE_THEN, **self.values}
        missing = sorted(like.values.keys() - values.keys())
        if missing:
            raise ValueError(f"it does not say {', '.join(missing)}")
        return TrainerState(self.tensors, values)

    def layers(self, name: str) -> list[Tensor]:
        """Copies of the tensors ``name.0``, ``name.1``, ..."""
        found: list[Tensor] = []
        while (key := f"{name}.{len(found)}") in self.tensors:
            found.append(self.tensors[key].clone())
        return found

    def optimiser(self) -> dict[int, dict[str, Tensor]]:
        """What the optimiser remembers of each parameter, as in ``state_dict()["state"]``."""
        remembered: dict[int, dict[str, Tensor]] = {}
        for name, tensor in self.tensors.items():
            if name.startswith("optimiser."):
                _, parameter, value = name.split(".", 2)
                remembered.setdefault(int(parameter), {})[value] = tensor
        return remembered


def named(name: str, layers: Sequence[Tensor]) -> dict[str, Tensor]:
    """Copies of one tensor a layer, named ``name.0``, ``name.1``, ..."""
    return {f"{name}.{index}": layer.clone() for index, layer in enumerate(layers)}


def _remembered(optimiser: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of the names and shapes that an optimiser has once it has made a step."""
    parameters = [t for kind in ("weight", "bias") for name, t in tensors.items() if name.endswith(f".{kind}")]
    return {
        f"optimiser.{number}.{name}": torch.tensor(0.0) if name == "step" else parameter
        for number, parameter in enumerate(parameters)
        for name in _REMEMBERED[optimiser]
    }
