# Writes the answer into the one comment of the pull request that begins with the marker, or into a new one.
set -euo pipefail

marker='<!-- tlbench upgrade -->'
longest=65000
text=$RUNNER_TEMP/tlbench-comment.md
{
    # Several files give several answers: the marker begins the first.
    echo "$marker"
    grep -vxF "$marker" "$REPORT/comment.md" || true
    echo "[The run and its page]($RUN)"
} > "$text"
if [[ $(wc -m < "$text") -gt $longest ]]; then
    printf '%s\n\n### tlbench: %s\n\nThe answer is longer than a comment may be: see [the run and its page](%s).\n' \
        "$marker" "$VERDICT" "$RUN" > "$text"
fi

comments=repos/$GITHUB_REPOSITORY/issues/$NUMBER/comments
# A comment needs a permission that pull requests from forks never have: the answer stands in the summary all the same.
refused() {
    echo "::warning::No comment could be written: give the job the permission 'pull-requests: write'. The summary has the answer."
    exit 0
}
found=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id") || refused
first=${found%%$'\n'*}
if [[ -n $first ]]; then
    gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$first" --field "body=@$text" || refused
elif [[ $VERDICT != unchanged ]]; then
    # A change of nothing that matters is worth no comment, only the correction of an older one.
    gh api --silent --method POST "$comments" --field "body=@$text" || refused
fi
