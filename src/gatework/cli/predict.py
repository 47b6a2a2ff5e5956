"""`gatework predict`: the labels of sequences by a trained model."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from gatework.cli.arguments import Device, LabelledEncoding, LabelledFile, RunOrFile
from gatework.cli.terminal import json_line
from gatework.errors import InputError, field
from gatework.files.writing import write_atomically
from gatework.labels.options import Level


def predict(
    run: RunOrFile,
    file: Annotated[str, LabelledFile],
    each: Annotated[bool, typer.Option("--each", help="Print the predictions, also where FILE has labels.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the predictions to a file, as lines of JSON.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Where FILE has labels, show whether probabilities are what they say.")
    ] = False,
    encoding: LabelledEncoding = None,
    device: Device = "cpu",
) -> None:
    """Predicts the labels of sequences with a trained model.

    Where FILE has labels, it says how many are right: accuracy, confusion table, F1 by label. Otherwise, or with
    --each, it prints a line of JSON for each sequence: its label, or labels, and of classes the probability.
    With --report it says too how often labels are right that were predicted with some probability.
    """
    from gatework.cli.label_models import predictor
    from gatework.cli.progress import bar
    from gatework.labels.answers import answers, calibrations, report_of
    from gatework.labels.data.examples import read_examples
    from gatework.labels.data.sequences import Sequences
    from gatework.labels.data.targets import Several

    model = predictor(run, device)
    job = model.job
    if out is not None and not out.parent.is_dir():
        raise InputError(f"cannot write {out}: {out.parent} is no directory")
    level: Level = "word" if job.inputs.form == "word" else "char"
    columns = job.targets.names if isinstance(job.targets, Several) else None
    examples = read_examples(file, level=level, kind=job.kind, encoding=encoding, columns=columns)
    labelled = examples.labels is not None
    if report and (not labelled or job.kind == "number"):
        why = "the model predicts numbers" if labelled else f"{file} has no labels"
        raise InputError(f"--report: {why}; expected classes, tags or sets, and the true labels beside them")
    encoded = Sequences.of(examples, job.inputs, job.targets if labelled else None, job.kind == "tag")
    if out is not None or each or not labelled:
        with bar("predicting") as progress:
            outputs = model.scores(encoded, progress)
        lines = [json_line(row) for row in answers(job, outputs, encoded.tagged)]
        if out is not None:
            write_atomically(out, "".join(f"{line}\n" for line in lines).encode())
        if each or (out is None and not labelled):
            print("\n".join(lines))
    if labelled and not each:
        outputs = model.scores(encoded)
        lines = report_of(job, encoded, outputs).lines(shutil.get_terminal_size((120, 24)).columns)
        if report:
            for name, one in calibrations(job, encoded, outputs).items():
                lines += [f"{field(name)}:"] * bool(name) + one.lines()
        print("\n".join(lines))
