# Runs the study before and after the change of each file; outputs `verdict`, `regressed` and `report`.
set -euo pipefail

commands=$RUNNER_TEMP/tlbench/bin
report=$RUNNER_TEMP/tlbench-report
base=$RUNNER_TEMP/tlbench-base
rm -rf "$report" "$base"
mkdir -p "$report"
git worktree prune
# All of the older side: a file of requirements may include others.
git worktree add --quiet --detach --force "$base" "$BASE"
trap 'git worktree remove --force "$base"' EXIT
prefix=$(git rev-parse --show-prefix)

arguments=()
while IFS= read -r line; do
    [[ -z $line ]] || arguments+=("$line")
done <<< "$ARGUMENTS"
while IFS= read -r line; do
    [[ -z ${line//[[:space:]]/} ]] || arguments=(--with "$line" "${arguments[@]}")
done <<< "$WITH"

# From the best to the worst.
verdicts=(unchanged safe not-measured could-not-run regressed)
worst=0
number=0
while IFS= read -r file; do
    [[ -n $file ]] || continue
    number=$((number + 1))
    folder=$report/$number
    mkdir -p "$folder"
    echo "::group::$file"
    status=0
    "$commands/tlbench" upgrade --from "$base/$prefix$file" --to "$file" --fail "$FAIL" --store "$STORE" \
        --report "$folder" --format github "${arguments[@]}" 2>&1 | tee "$folder/log.txt" || status=$?
    echo "::endgroup::"
    verdict=could-not-run
    if [[ -f $folder/upgrade.json ]]; then
        verdict=$("$commands/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$folder/upgrade.json")
    else
        # It was ended from outside, or its arguments are none.
        printf '<!-- tlbench upgrade -->\n\n### tlbench: the upgrade could not be run\n\n```text\n%s\n```\n' \
            "$(tail -n 20 "$folder/log.txt" | tr -d '`')" > "$folder/comment.md"
    fi
    echo "$file: $verdict (exit status $status)"
    for rank in "${!verdicts[@]}"; do
        [[ ${verdicts[rank]} != "$verdict" || $rank -le $worst ]] || worst=$rank
    done
    { cat "$folder/comment.md"; echo; } >> "$report/comment.md"
done <<< "$FILES"

cat "$report/comment.md" >> "$GITHUB_STEP_SUMMARY"
{
    echo "verdict=${verdicts[worst]}"
    [[ ${verdicts[worst]} != regressed ]] && echo "regressed=false" || echo "regressed=true"
    echo "report=$report"
} >> "$GITHUB_OUTPUT"
