"""Commands that do something else with the same study, as a user would type them."""

from __future__ import annotations

import re
import shlex

from dataclasses import dataclass


# Options left out, each with its value: those for after training, and workers, which do not share the plan.
LEFT_OUT = {
    *("--tlbench-compare", "--tlbench-compare-fail", "--tlbench-save", "--tlbench-report", "--tlbench-repeat"),
    *("--tlbench-status", "-n", "--numprocesses", "--dist", "--junitxml", "--junit-xml", "--basetemp"),
}


@dataclass(frozen=True)
class Command:
    """The command of a run.

    Attributes:
        arguments: Arguments of pytest.
    """

    arguments: tuple[str, ...] = ()

    def with_options(self, *added: str) -> str:
        """The same command with other options for after training.

        Args:
            added: Options and their values.
        """
        kept, skip = [], False
        for argument in self.arguments:
            option, given, _ = argument.partition("=")
            if option in LEFT_OUT:
                skip = not given
            elif skip:
                skip = False
            elif option != "--tlbench-autosave" and not re.fullmatch(r"-n(\d+|auto|logical)", option):
                kept.append(argument)
        return shlex.join(["pytest", *kept, *added])
