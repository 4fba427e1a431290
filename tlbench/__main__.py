"""`python -m tlbench` is the command `tlbench`."""

from tlbench.hosts.cli import main


if __name__ == "__main__":
    main(prog_name="tlbench")
