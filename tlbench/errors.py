"""The errors that tlbench raises for input it cannot work with."""


class TlbenchError(Exception):
    """Base of every error that tlbench raises on purpose; its message names the remedy."""


class ConfigurationError(TlbenchError, ValueError):
    """An option or an argument has a value that cannot be worked with."""


class DataError(TlbenchError):
    """Images, an archive or labels cannot be used as they are."""


class WeightsError(TlbenchError):
    """Weights could not be loaded, or are not where they should be."""


class StoreError(TlbenchError):
    """The store cannot be read or written."""


class TrainingError(TlbenchError):
    """A training run broke a rule that its result rests on."""
