# Installs tlbench into an environment of its own, so that the project's own environment stays as it is.
set -euo pipefail

"${PYTHON:-python3}" -m venv "$RUNNER_TEMP/tlbench"
# The action and tlbench lie in one repository: unless another is asked for, they are of one version.
"$RUNNER_TEMP/tlbench/bin/pip" install --quiet "${TLBENCH:-$GITHUB_ACTION_PATH/../../..}" "PyYAML>=6"
