"""Figures of quantities: the arms and trials that a figure needs follow from the quantities that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tlbench.scores.extras import NO_EXTRAS


if TYPE_CHECKING:
    from collections.abc import Sequence

    from tlbench.declare.claims import Quantity
    from tlbench.declare.trials import Arm, Trial


class OfQuantities:
    """The base of a figure that shows quantities."""

    # Beside those of the quantities' metrics.
    extras: ClassVar[frozenset[str]] = NO_EXTRAS

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Quantities that the figure shows."""
        raise NotImplementedError

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Arms of all quantities."""
        return tuple(arm for quantity in self.quantities for arm in quantity.arms)

    def trials(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """The trials that the figure needs, for some seeds."""
        return tuple(trial for quantity in self.quantities for seed in seeds for trial in quantity.trials(seed))
