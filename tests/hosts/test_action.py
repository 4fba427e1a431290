"""The steps of the action for pull requests, run by a shell in a repository that changes a lock file."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys

from pathlib import Path

import pytest
import yaml


ACTION = Path(__file__).parents[2] / ".github" / "actions" / "upgrade"

# Stands in for GitHub's command line: comments are lines of a file, and each call is recorded.
GH = """#!{python}
import json, os, pathlib, sys
state = pathlib.Path(os.environ["GH_STATE"])
arguments = sys.argv[1:]
if (state / "refuses").exists():
    sys.exit("gh: Resource not accessible by integration (HTTP 403)")
comments = json.loads((state / "comments.json").read_text())
assert arguments.pop(0) == "api"
method = arguments[arguments.index("--method") + 1] if "--method" in arguments else "GET"
fields = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--field"]
(path,) = [word for word in arguments if word.startswith("repos/")]
if method == "GET":
    assert path == "repos/o/r/issues/7/comments" and "--paginate" in arguments
    begins = arguments[arguments.index("--jq") + 1].split('"')[1]
    print("\\n".join(str(i) for i, body in comments.items() if body.startswith(begins)))
else:
    name, _, file = fields[0].partition("=@")
    assert name == "body"
    number = path.rpartition("/")[2] if method == "PATCH" else str(100 + len(comments))
    assert path == ("repos/o/r/issues/comments/" + number if method == "PATCH" else "repos/o/r/issues/7/comments")
    comments[number] = pathlib.Path(file).read_text()
    (state / "comments.json").write_text(json.dumps(comments))
"""

# Stands in for a tlbench that would train for minutes: it records its arguments, and regresses from Keras 3 on.
TLBENCH = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
old, new, folder = (arguments[arguments.index(name) + 1] for name in ("--from", "--to", "--report"))
with open({record!r}, "a") as record:
    record.write(json.dumps(arguments) + "\\n")
before, after = pathlib.Path(old).read_text().strip(), pathlib.Path(new).read_text().strip()
included = pathlib.Path(old).with_name("base.txt")
if "hangs" in after:
    sys.exit("Error: it was ended `here`")
verdict = "unchanged" if before == after else "regressed" if "keras==3" in after else "safe"
pathlib.Path(folder, "upgrade.json").write_text(json.dumps(dict(verdict=verdict)))
pathlib.Path(folder, "comment.md").write_text(f"<!-- tlbench upgrade -->\\n\\n### {{verdict}}: {{new}}\\n")
print("told", before, after, included.exists())
sys.exit(int(verdict == "regressed"))
"""

# tlbench as it is, but for the packages that it installs: see `stand_ins`.
REAL_TLBENCH = """#!{python}
from tlbench.hosts import cli, isolation
isolation._tlbench = lambda _: ("tlbench==9.9", "pytest==9.9")
cli.main()
"""


class Workflow:
    """A job that uses the action in a repository; steps that need GitHub are left out."""

    def __init__(self, folder):
        self.repository = folder / "repository"
        self.repository.mkdir()
        self.temporary = folder / "temporary"
        (self.temporary / "tlbench" / "bin").mkdir(parents=True)
        self.state = folder / "state"
        self.state.mkdir()
        (self.state / "comments.json").write_text("{}")
        self.record = folder / "record.jsonl"
        commands = folder / "commands"
        commands.mkdir()
        self._script(commands / "gh", GH)
        self.install(TLBENCH)
        (self.temporary / "tlbench" / "bin" / "python").symlink_to(sys.executable)
        self.variables = os.environ | {
            "PATH": f"{commands}:{os.environ['PATH']}",
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_REPOSITORY": "o/r",
            "GH_STATE": str(self.state),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        self.git("init", "--quiet", "--initial-branch", "main")
        self.summary = ""
        self.outputs = {}

    def install(self, text):
        """Put a script in place of the command that the action installs."""
        self._script(self.temporary / "tlbench" / "bin" / "tlbench", text)

    def _script(self, path, text):
        path.write_text(text.format(python=sys.executable, record=str(self.record)))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def git(self, *arguments, folder=None):
        """What git prints."""
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "uploadpack.allowAnySHA1InWant=true"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=folder or self.repository
        ).stdout.strip()

    def commit(self, **files):
        """Write files and commit them; returns the commit."""
        for name, text in files.items():
            path = self.repository / name.replace("__", "/").replace("_txt", ".txt").replace("_lock", ".lock")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def run(self, base, **inputs):
        """Run the action's steps as GitHub does; returns the exit status of the job."""
        action = yaml.safe_load((ACTION / "action.yml").read_text())
        given = {name: str(setting.get("default", "")) for name, setting in action["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in (inputs | {"base": base}).items()}
        known = {f"inputs.{name}": value for name, value in given.items()}
        known |= {
            "github.event.pull_request.number": "7",
            "github.server_url": "https://github.com",
            "github.repository": "o/r",
            "github.run_id": "1",
            "steps.python.outputs.python-path": sys.executable,
            "github.token": "secret",
        }
        failed = 0
        for step in action["runs"]["steps"]:
            wanted = self._is_wanted(step.get("if", ""), known, failed=bool(failed))
            if "run" not in step or step["name"] == "Install tlbench" or not wanted:
                continue
            failed = self._run_step(step, known) or failed
        for name, output in action["outputs"].items():
            self.outputs[name] = self._filled(output["value"], known)
        return failed

    def _run_step(self, step, known):
        output, summary = self.state / "output", self.state / "summary"
        output.write_text("")
        summary.write_text("")
        variables = {name: self._filled(str(value), known) for name, value in step.get("env", {}).items()}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        self.ended = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.repository / self._filled(step.get("working-directory", "."), known),
            env=self.variables | variables | files,
        )
        self.log = getattr(self, "log", "") + self.ended.stdout + self.ended.stderr
        self.summary += summary.read_text()
        for line in re.finditer(r"^(\w+)(?:=(.*)|<<(\S+)\n((?:.*\n)*?)\3)$", output.read_text(), re.MULTILINE):
            known[f"steps.{step['id']}.outputs.{line[1]}"] = line[2] or (line[4] or "").strip()
        return self.ended.returncode

    @staticmethod
    def _filled(text, known):
        def value(match):
            first, _, default = match[1].strip().partition(" || ")
            return known.get(first, "") or default.strip("'")

        return re.sub(r"\$\{\{(.+?)\}\}", value, text)

    @staticmethod
    def _is_wanted(condition, known, *, failed):
        if failed and "always()" not in condition:
            return False
        for part in filter(None, (part.strip() for part in condition.split("&&"))):
            name, comparison, value = part.partition(" != " if " != " in part else " == ")
            same = known.get(name, "") == value.strip("'")
            if name != "always()" and same != (comparison == " == "):
                return False
        return True

    @property
    def comments(self):
        """Comments of the pull request, by number."""
        return json.loads((self.state / "comments.json").read_text())

    @property
    def calls(self):
        """Arguments of each call of tlbench."""
        return [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []


@pytest.fixture
def workflow(tmp_path):
    return Workflow(tmp_path)


def test_a_changed_lock_file_is_compared_with_its_older_side(workflow):
    """The verdict is in the summary, in one comment and in the outputs, and the page has its folder."""
    base = workflow.commit(requirements_txt="keras==1", base_txt="x", README_txt="a")
    workflow.commit(requirements_txt="keras==2", README_txt="b")

    assert 0 == workflow.run(base), workflow.log

    assert {
        "verdict": "safe",
        "regressed": "false",
        "report": str(workflow.temporary / "tlbench-report"),
    } == workflow.outputs
    assert "told keras==1 keras==2 True" in workflow.log, "files that the older side includes are there"
    assert "### safe: requirements.txt" in workflow.summary
    (comment,) = workflow.comments.values()
    assert comment.startswith("<!-- tlbench upgrade -->\n")
    assert 1 == comment.count("<!--")
    assert "### safe: requirements.txt" in comment
    assert "[The run and its page](https://github.com/o/r/actions/runs/1)" in comment
    assert "" == workflow.git("worktree", "list").partition("\n")[2], "nothing is left behind"


def test_the_next_run_replaces_the_comment(workflow):
    """Among comments of others, which stay."""
    base = workflow.commit(requirements_txt="keras==1")
    (workflow.state / "comments.json").write_text(json.dumps({"5": "Please <!-- tlbench upgrade -->", "6": "LGTM"}))
    workflow.commit(requirements_txt="keras==2")
    workflow.run(base)
    workflow.commit(requirements_txt="keras==2.1")
    workflow.run(base)

    assert 3 == len(workflow.comments), workflow.log
    assert {"5": "Please <!-- tlbench upgrade -->", "6": "LGTM"}.items() <= workflow.comments.items()


def test_a_regression_fails_the_job_after_all_is_told(workflow):
    """Unless the user asks for no failure."""
    base = workflow.commit(requirements_txt="keras==1")
    workflow.commit(requirements_txt="keras==3")

    assert 1 == workflow.run(base)
    assert "::error::tlbench upgrade: regressed" in workflow.log
    assert {"verdict": "regressed", "regressed": "true"}.items() <= workflow.outputs.items()
    assert ["### regressed: requirements.txt"] == re.findall("###.*", *workflow.comments.values())
    assert 0 == workflow.run(base, fail_on=" could-not-run, not-measured")
    assert 0 == workflow.run(base, fail_on="")


def test_several_files_give_the_worst_verdict(workflow):
    """In one comment, with an answer for each."""
    base = workflow.commit(requirements_txt="keras==1", uv_lock="keras==1", requirements__dev_txt="keras==1")
    workflow.commit(requirements_txt="keras==2", uv_lock="keras==3", requirements__dev_txt="hangs")

    assert 1 == workflow.run(base)

    assert "regressed" == workflow.outputs["verdict"]
    (comment,) = workflow.comments.values()
    assert ["safe", "the upgrade could not be run", "regressed"] == re.findall("### (?:tlbench: )?([a-z ]+)", comment)
    assert "Error: it was ended here" in comment


def test_a_change_of_other_files_runs_nothing(workflow):
    """Nor does a lock file that is new, or lies elsewhere."""
    base = workflow.commit(README_txt="a", tests__uv_lock="keras==1")
    workflow.commit(README_txt="b", uv_lock="keras==1", tests__uv_lock="keras==3")

    assert 0 == workflow.run(base), workflow.log

    assert {"verdict": "unchanged", "regressed": "false", "report": ""} == workflow.outputs
    assert [] == workflow.calls
    assert {} == workflow.comments


def test_a_change_of_nothing_that_matters_only_corrects_a_comment(workflow):
    """A pull request that was never worth one gets none."""
    base = workflow.commit(requirements_txt="keras==1", base_txt="a")
    workflow.commit(requirements_txt="keras==1 ")
    workflow.run(base)
    none = workflow.comments
    (workflow.state / "comments.json").write_text(json.dumps({"5": "<!-- tlbench upgrade -->\nold"}))
    workflow.run(base)

    assert {} == none
    assert "### unchanged: requirements.txt" in workflow.comments["5"]


def test_a_token_that_may_not_comment_is_a_warning(workflow):
    """As on pull requests from forks; the summary has the answer."""
    base = workflow.commit(requirements_txt="keras==1")
    workflow.commit(requirements_txt="keras==2")
    (workflow.state / "refuses").touch()

    assert 0 == workflow.run(base)
    assert "::warning::No comment could be written: give the job the permission" in workflow.log
    assert "### safe" in workflow.summary


def test_inputs_reach_tlbench_word_by_word(workflow):
    """A line is an argument, whatever is in it; nothing of it is run by the shell."""
    base = workflow.commit(project__requirements_txt="keras==1")
    workflow.commit(project__requirements_txt="keras==2")

    workflow.run(
        base,
        working_directory="project",
        arguments='--seeds=2\n-k\na or "b $(touch x)"\n--\nstudies\n',
        **{"with": "leaves==1\n"},
        compare_fail="claims",
        store="kept",
    )

    (call,) = workflow.calls
    assert ["--to", "requirements.txt", "--fail", "claims", "--store", "kept"] == call[3:9]
    assert ["--with", "leaves==1", "--seeds=2", "-k", 'a or "b $(touch x)"', "--", "studies"] == call[-7:]
    assert not (workflow.repository / "project" / "x").exists()


def test_a_shallow_checkout_fetches_the_older_side(workflow, tmp_path):
    """actions/checkout has one commit only."""
    base = workflow.commit(requirements_txt="keras==1")
    workflow.commit(requirements_txt="keras==2")
    origin = workflow.repository.rename(tmp_path / "origin")
    workflow.git("config", "uploadpack.allowAnySHA1InWant", "true", folder=origin)
    workflow.git("clone", "--quiet", "--depth", "1", origin.as_uri(), str(workflow.repository), folder=tmp_path)

    assert 0 == workflow.run(base), workflow.log
    assert "safe" == workflow.outputs["verdict"]


@pytest.mark.usefixtures("index")
def test_the_action_runs_the_command_as_it_is(workflow):
    """Two environments and two studies of stand-ins, from two locks of uv."""
    workflow.variables |= {name: value for name, value in os.environ.items() if name.startswith("UV_")}
    workflow.install(REAL_TLBENCH)
    lock = (
        "version = 1\n[[package]]\nname = 'keras'\nversion = '{}'\nsource = {{ registry = 'https://pypi.org/simple' }}"
    )
    base = workflow.commit(uv_lock=lock.format("1.0"))
    workflow.commit(uv_lock=lock.format("3.0"))

    assert 1 == workflow.run(base), workflow.log

    assert "regressed" == workflow.outputs["verdict"], workflow.log
    (comment,) = workflow.comments.values()
    assert "### tlbench: this upgrade regresses\n\nuv.lock: keras==1.0 → keras==3.0" in comment
    assert "- FAILED: verdicts have changed: c" in comment
    assert "| keras" in comment


@pytest.mark.parametrize("base", ["", "main", "0" * 40])
def test_an_event_without_an_older_side_is_an_error(workflow, base):
    """With the events that have one."""
    workflow.commit(requirements_txt="keras==1")

    assert 1 == workflow.run(base)
    assert "run this action on pull_request or push, or give it" in workflow.log


def test_tlbench_is_installed_beside_the_project(tmp_path):
    """From the action's own repository unless the user names a requirement."""
    pip = tmp_path / "python"
    pip.write_text(
        '#!/bin/bash\nmkdir -p "$3/bin"\nprintf \'#!/bin/bash\\necho "$@"\' > "$3/bin/pip"\nchmod +x "$3/bin/pip"\n'
    )
    pip.chmod(0o755)
    variables = os.environ | {"PYTHON": str(pip), "RUNNER_TEMP": str(tmp_path), "GITHUB_ACTION_PATH": "/a/.github/x/y"}

    def installed(requirement):
        command = ["bash", str(ACTION / "install.sh")]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=variables | {"TLBENCH": requirement}
        ).stdout.split()[2]

    assert "/a/.github/x/y/../../.." == installed("")
    assert "tlbench==9" == installed("tlbench==9")
    assert (ACTION / ".." / ".." / ".." / "pyproject.toml").is_file()


def test_no_expression_of_github_stands_in_a_script():
    """What a pull request can name, such as a file, reaches the shell as a variable only."""
    steps = yaml.safe_load((ACTION / "action.yml").read_text())["runs"]["steps"]

    assert [] == [step for step in steps if "${{" in step.get("run", "")]
