# Finds the lock files that a change alters; output `files`, one a line.
set -euo pipefail

if [[ ! $BASE =~ ^[0-9a-f]{40,64}$ || $BASE =~ ^0+$ ]]; then
    echo "::error::The input base must be the commit before the change; run this action on pull_request or push, or give it. Received: '$BASE'"
    exit 1
fi
# actions/checkout fetches one commit only.
git cat-file -e "$BASE^{commit}" 2>/dev/null || git fetch --quiet --no-tags --depth=1 origin "$BASE"

patterns=()
while IFS= read -r pattern; do
    [[ -z ${pattern//[[:space:]]/} ]] || patterns+=(":(glob)$pattern")
done <<< "$FILES"

# Only files of both sides can be compared.
files=$(git -c core.quotePath=false diff --name-only --relative --no-renames --diff-filter=M "$BASE" HEAD -- "${patterns[@]}")
{
    echo "files<<end-of-files"
    [[ -z $files ]] || echo "$files"
    echo "end-of-files"
} >> "$GITHUB_OUTPUT"
echo "Changed: ${files:-no lock file}"
