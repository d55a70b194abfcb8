"""What a rule's script leaves in its log, on the console and as its exit status."""

import subprocess
import sys

from gliaflow.job import harmless

SCRIPT = """
import ctypes, logging, os, sys
from gliaflow.errors import ImageError
from gliaflow.job import job

with job(sys.argv[1], "demo/sub-01/ses-1 t1c"):
    {body}
"""


BEGIN = "BEGIN demo/sub-01/ses-1 t1c"


def run(tmp_path, body):
    log = tmp_path / "rule.log"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(body=body))
    result = subprocess.run(
        [sys.executable, script, log], capture_output=True, text=True, timeout=60, check=False
    )
    return result, log.read_text()


def test_an_error_of_the_data_is_one_sentence_without_a_traceback(tmp_path):
    result, log = run(tmp_path, "raise ImageError('a.nii.gz: every voxel has the value 0')")
    sentence = "demo/sub-01/ses-1 t1c: a.nii.gz: every voxel has the value 0"
    assert result.returncode == 1
    assert (result.stdout, result.stderr) == ("", f"gliaflow: {sentence}\n")
    assert log == f"{BEGIN}\nERROR {sentence}\n"


def test_any_other_error_has_its_traceback_in_the_log_and_one_line_on_the_console(tmp_path):
    result, log = run(tmp_path, "{}['gone']")
    assert result.returncode == 1
    assert result.stderr == "gliaflow: demo/sub-01/ses-1 t1c: 'gone'\n"
    assert "Traceback (most recent call last)" in log
    assert "KeyError: 'gone'" in log
    assert log.splitlines()[-1] == "ERROR demo/sub-01/ses-1 t1c: 'gone'"


def test_an_error_without_words_is_called_by_its_kind(tmp_path):
    result, log = run(tmp_path, "raise MemoryError")
    assert result.stderr == "gliaflow: demo/sub-01/ses-1 t1c: MemoryError\n"
    assert log.endswith("ERROR demo/sub-01/ses-1 t1c: MemoryError\n")


def test_the_error_is_the_last_line_whatever_was_printed_before_it(tmp_path):
    body = "print('to stdout'); print('to stderr', file=sys.stderr); raise ImageError('wrong')"
    result, log = run(tmp_path, body)
    assert log.splitlines()[0] == BEGIN
    assert sorted(log.splitlines()[1:-1]) == ["to stderr", "to stdout"]
    assert log.splitlines()[-1] == "ERROR demo/sub-01/ses-1 t1c: wrong"
    assert result.stdout == ""


def test_output_of_compiled_code_programs_and_logging_goes_to_the_log(tmp_path):
    lines = [
        "ctypes.CDLL(None).puts(b'from C'); ctypes.CDLL(None).fflush(None)",
        "os.system('echo from a program')",
        "logging.getLogger('x').info('from logging')",
    ]
    result, log = run(tmp_path, "; ".join(lines))
    assert result.returncode == 0
    assert (result.stdout, result.stderr) == ("", "")
    begin, *told, end = log.splitlines()
    assert begin == BEGIN
    assert sorted(told) == ["from C", "from a program", "from logging"]
    assert end == "DONE demo/sub-01/ses-1 t1c"


def test_a_log_of_an_earlier_run_is_replaced(tmp_path):
    (tmp_path / "rule.log").write_text("ERROR of yesterday\n")
    result, log = run(tmp_path, "print('fine')")
    assert (result.returncode, log) == (0, f"{BEGIN}\nfine\nDONE demo/sub-01/ses-1 t1c\n")


def test_a_name_of_a_folder_does_not_move_the_cursor():
    assert (
        harmless("/data/\x1b[2J\u202e/t1.nii: not whole\nnumber  7")
        == "/data/?[2J?/t1.nii: not whole\nnumber  7"
    )
