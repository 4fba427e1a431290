"""Extra predictions of a trial, which take time and which few claims, tables and figures read.

Every trial predicts its test images once, after the last epoch. Validation images after each epoch, and test images
with BatchNorm's statistics re-estimated, are predicted where a declaration of the run reads them. Training is the same
with and without extra predictions.
"""

from __future__ import annotations


# Probabilities for the validation images after each epoch.
VALIDATION = "validation"

# Probabilities for the test images with BatchNorm normalising by the statistics of the test batches.
BATCH_STATISTICS = "batch statistics"

NO_EXTRAS: frozenset[str] = frozenset()
ALL_EXTRAS = frozenset({VALIDATION, BATCH_STATISTICS})
